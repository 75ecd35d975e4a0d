"""The Polish words are complete."""

import re

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web.http.rendering import ROOT, load_translations

CATALOGUE = ROOT / "locale" / "pl" / "LC_MESSAGES" / "web.po"
METHODS = [("**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"gettext": None, "ngettext": (1, 2), "sentence": None}
#: What leaderboard names the boards that every installation starts with.
NAMES_OF_BOARDS = ("Running", "Cycling")
OPTIONS = {"**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}


def written_words() -> set[str | tuple[str, ...]]:
    """What templates translate, and what code writes as a `sentence`."""
    return {found[2] for found in extract_from_dir(str(ROOT), METHODS, OPTIONS, keywords=KEYWORDS)}


def _strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def test_every_sentence_has_a_polish_one() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="pl")
    translated = {message.id: _strings(message) for message in catalogue if message.id and not message.fuzzy}
    for sentence in written_words():
        assert sentence in translated, sentence
        assert all(translated[sentence]), sentence


def test_the_catalogue_has_each_sentence_once_and_no_others() -> None:
    source = CATALOGUE.read_text()
    with CATALOGUE.open("rb") as file:
        known = {message.id for message in read_po(file, locale="pl")}
    assert len(re.findall(r"^msgid ", source, re.MULTILINE)) == len(known)
    assert len(re.findall(r"^msgstr(?:\[0\])? ", source, re.MULTILINE)) == len(known)
    assert known - written_words() == {"", *NAMES_OF_BOARDS}


def test_polish_addresses_the_reader_in_lower_case_and_has_one_word_for_milestones() -> None:
    with CATALOGUE.open("rb") as file:
        strings = [string for message in read_po(file, locale="pl") for string in _strings(message)]
    assert not [string for string in strings if re.search(r"(?<![.!?]) (Ty|Ci|Cię|Ciebie|Tob|Tw[oó]j)", string)]
    assert not [string for string in strings if re.search(r"kamie(ń|ni)", string, re.IGNORECASE)]


def test_translations_keep_the_blanks_and_the_markup() -> None:
    with CATALOGUE.open("rb") as file:
        for message in read_po(file, locale="pl"):
            if not message.id:
                continue
            wanted = message.id[-1] if isinstance(message.id, tuple) else message.id
            strings = _strings(message)
            for string in strings[1:] or strings:
                assert sorted(re.findall(r"%\(\w+\)s|\{\w+\}|<[^>]+>", wanted)) == sorted(
                    re.findall(r"%\(\w+\)s|\{\w+\}|<[^>]+>", string)
                )


@pytest.mark.parametrize(
    ("days", "words"), [(2, "Zostały"), (5, "Zostało"), (12, "Zostało"), (22, "Zostały"), (25, "Zostało")]
)
def test_polish_plurals_have_three_forms(days: int, words: str) -> None:
    said = load_translations("pl").ngettext("Last day", "%(count)s days left", days)
    assert said.startswith(words)
