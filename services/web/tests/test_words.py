"""The Polish words are complete."""

import re

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web.http.rendering import ROOT, load_translations

CATALOGUE = ROOT / "locale" / "pl" / "LC_MESSAGES" / "web.po"
METHODS = [("**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"gettext": None, "ngettext": (1, 2), "sentence": None}
OPTIONS = {"**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}


def written_words() -> set[str | tuple[str, ...]]:
    """What templates translate, and what code writes as a `sentence`."""
    return {found[2] for found in extract_from_dir(str(ROOT), METHODS, OPTIONS, keywords=KEYWORDS)}


def test_every_sentence_has_a_polish_one() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="pl")
    translated = {
        message.id: message.string if isinstance(message.string, tuple) else (message.string,)
        for message in catalogue
        if message.id and not message.fuzzy
    }
    for sentence in written_words():
        assert sentence in translated, sentence
        assert all(translated[sentence]), sentence


def test_translations_keep_the_blanks_and_the_markup() -> None:
    with CATALOGUE.open("rb") as file:
        for message in read_po(file, locale="pl"):
            if not message.id:
                continue
            wanted = message.id[-1] if isinstance(message.id, tuple) else message.id
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
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
