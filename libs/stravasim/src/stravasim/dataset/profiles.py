"""Generated profiles: an athlete's profile follows from the id alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from stravasim.dataset.rng import SeededRandom

_WOMEN = (
    "Agnieszka", "Aleksandra", "Alicja", "Anna", "Barbara", "Beata", "Dorota", "Ewa", "Gabriela", "Hanna",
    "Iga", "Izabela", "Joanna", "Julia", "Justyna", "Karolina", "Katarzyna", "Kinga", "Lena", "Magdalena",
    "Małgorzata", "Maria", "Marta", "Monika", "Natalia", "Oliwia", "Paulina", "Sylwia", "Weronika",
    "Wiktoria", "Zofia", "Żaneta",
)  # fmt: skip
_MEN = (
    "Adam", "Aleksander", "Andrzej", "Bartosz", "Damian", "Dawid", "Filip", "Grzegorz", "Igor", "Jacek",
    "Jakub", "Jan", "Kamil", "Karol", "Krzysztof", "Łukasz", "Maciej", "Marcin", "Marek", "Mateusz",
    "Michał", "Paweł", "Piotr", "Radosław", "Rafał", "Robert", "Sebastian", "Szymon", "Tomasz", "Wojciech",
    "Zbigniew",
)  # fmt: skip
_SURNAMES = (
    "Nowak", "Wójcik", "Kowalczyk", "Woźniak", "Mazur", "Krawczyk", "Kaczmarek", "Zając", "Król",
    "Wieczorek", "Wróbel", "Stępień", "Pawlak", "Walczak", "Sikora", "Baran", "Duda", "Szewczyk",
    "Pietrzak", "Marciniak", "Bąk", "Zięba", "Włodarczyk", "Kubiak", "Wilk", "Lis", "Kołodziej",
    "Ślusarczyk",
)  # fmt: skip
_SURNAMES_WITH_GENDER = (
    "Kowalski", "Wiśniewski", "Kamiński", "Lewandowski", "Zieliński", "Szymański", "Dąbrowski", "Kozłowski",
    "Jankowski", "Wojciechowski", "Kwiatkowski", "Piotrowski", "Grabowski", "Nowicki", "Pawłowski",
    "Michalski", "Jabłoński", "Majewski", "Olszewski", "Jaworski", "Malinowski", "Górski", "Rutkowski",
    "Ostrowski", "Zawadzki", "Żurawski", "Zalewski",
)  # fmt: skip
_ABROAD = (
    ("Emma", "Lindqvist", "F"), ("Lars", "Lindqvist", "M"), ("Chiara", "Rossi", "F"), ("Matteo", "Bianchi", "M"),
    ("Olena", "Shevchenko", "F"), ("Taras", "Kovalenko", "M"), ("Aoife", "O'Connor", "F"), ("Liam", "Murphy", "M"),
    ("Inês", "Ferreira", "F"), ("José", "García Márquez", "M"), ("Nguyễn", "Thị Lan", "F"), ("Jürgen", "Groß", "M"),
    ("Yuki", "Tanaka", "F"), ("Søren", "Østergaard", "M"), ("Zoë", "van den Berg", "F"), ("Ondřej", "Dvořák", "M"),
)  # fmt: skip
_CITIES = (
    ("Warszawa", "Mazowieckie"), ("Kraków", "Małopolskie"), ("Wrocław", "Dolnośląskie"), ("Gdańsk", "Pomorskie"),
    ("Poznań", "Wielkopolskie"), ("Łódź", "Łódzkie"), ("Katowice", "Śląskie"), ("Rzeszów", "Podkarpackie"),
)  # fmt: skip
_FIRST_ACCOUNTS = datetime(2012, 1, 1, tzinfo=UTC)


def build_profile(athlete_id: int) -> Mapping[str, object]:
    """The SummaryAthlete of an id: always the same generated person, with Strava's keys in its order."""
    rng = SeededRandom(f"profile:{athlete_id}")
    firstname, lastname, sex = _name(rng)
    city, state = rng.choice(_CITIES)
    created = _FIRST_ACCOUNTS + timedelta(seconds=rng.randrange(12 * 365 * 86_400))
    premium = rng.chance(0.4)
    return {
        "id": athlete_id,
        "username": None if rng.chance(0.5) else f"athlete_{athlete_id}",
        "resource_state": 2,
        "firstname": firstname,
        "lastname": lastname,
        "city": city,
        "state": state,
        "country": "Poland",
        "sex": None if rng.chance(0.05) else sex,
        "premium": premium,
        "summit": premium,
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{created + timedelta(days=rng.randrange(1, 400)):%Y-%m-%dT%H:%M:%SZ}",
        "badge_type_id": 1 if premium else 0,
        "profile_medium": "avatar/athlete/medium.png",
        "profile": "avatar/athlete/large.png",
        "friend": None,
        "follower": None,
    }


def _name(rng: SeededRandom) -> tuple[str, str, str]:
    if rng.chance(0.12):
        return rng.choice(_ABROAD)
    is_woman = rng.chance(0.5)
    firstname = rng.choice(_WOMEN if is_woman else _MEN)
    if rng.chance(0.5):
        return firstname, rng.choice(_SURNAMES), "F" if is_woman else "M"
    surname = rng.choice(_SURNAMES_WITH_GENDER)
    return (firstname, surname[:-1] + "a", "F") if is_woman else (firstname, surname, "M")
