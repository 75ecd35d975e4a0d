"""Invented people: an athlete's profile follows from the id alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from stravasim.dice import Dice

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


def profile_of(athlete_id: int) -> Mapping[str, object]:
    """The SummaryAthlete of an id: always the same invented person, with the keys Strava sends, in its order."""
    dice = Dice(f"profile:{athlete_id}")
    firstname, lastname, sex = _name(dice)
    city, state = dice.choice(_CITIES)
    created = _FIRST_ACCOUNTS + timedelta(seconds=dice.randrange(12 * 365 * 86_400))
    premium = dice.chance(0.4)
    return {
        "id": athlete_id,
        "username": None if dice.chance(0.5) else f"athlete_{athlete_id}",
        "resource_state": 2,
        "firstname": firstname,
        "lastname": lastname,
        "city": city,
        "state": state,
        "country": "Poland",
        "sex": None if dice.chance(0.05) else sex,
        "premium": premium,
        "summit": premium,
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{created + timedelta(days=dice.randrange(1, 400)):%Y-%m-%dT%H:%M:%SZ}",
        "badge_type_id": 1 if premium else 0,
        "profile_medium": "avatar/athlete/medium.png",
        "profile": "avatar/athlete/large.png",
        "friend": None,
        "follower": None,
    }


def _name(dice: Dice) -> tuple[str, str, str]:
    if dice.chance(0.12):
        return dice.choice(_ABROAD)
    is_woman = dice.chance(0.5)
    firstname = dice.choice(_WOMEN if is_woman else _MEN)
    if dice.chance(0.5):
        return firstname, dice.choice(_SURNAMES), "F" if is_woman else "M"
    surname = dice.choice(_SURNAMES_WITH_GENDER)
    return (firstname, surname[:-1] + "a", "F") if is_woman else (firstname, surname, "M")
