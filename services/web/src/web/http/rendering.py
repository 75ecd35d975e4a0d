"""Templates in each language: numbers, dates and words as its readers expect them."""

import io
from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_interval
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import parse_pattern
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from web.http.assets import Asset
from web.http.branding import DEFAULT, Branding
from web.http.local_pages import join_path
from web.http.sentences import Sentence

ROOT = Path(__file__).parents[1]
LANGUAGES = {"en": "English", "pl": "Polski"}
LOCALES = {"en": Locale.parse("en_GB"), "pl": Locale.parse("pl_PL")}
#: How numbers are written, by how many decimals they have.
_PATTERNS = [parse_pattern(pattern) for pattern in ("#,##0", "#,##0.0", "#,##0.00")]


class Renderer:
    """One template environment a language; rendering does no IO after the first use of a template."""

    def __init__(self, assets: Mapping[str, Asset], branding: Branding = DEFAULT) -> None:
        self._translations = {language: load_translations(language) for language in LANGUAGES}
        self._environments = {
            language: _environment(language, translations, assets, branding)
            for language, translations in self._translations.items()
        }

    def render(self, language: str, template: str, context: Mapping[str, Any]) -> Markup:
        """The template, such as `boards/board.html`, in that language."""
        return Markup(self._environments[language].get_template(template).render(context))  # noqa: S704 - autoescaped

    def say(self, language: str, said: Sentence) -> str:
        """What a sentence is in that language, where it is not for a page."""
        return _say(self._translations[language], said)


def _environment(
    language: str, translations: NullTranslations, assets: Mapping[str, Asset], branding: Branding
) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        auto_reload=False,  # or each rendering asks the file system whether its template changed
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # the extension adds it
        translations, newstyle=True
    )
    environment.globals.update(
        language=language,
        site_name=branding.name,
        brand={Path(name).stem: assets[name].url for name in branding.files},
        languages=LANGUAGES,
        asset=lambda name: assets[name].url,
        inline=lambda name: assets[name].inline,
        number=partial(_number, LOCALES[language]),
        duration=_duration,
        moment=partial(_moment, LOCALES[language]),
        day=partial(_day, LOCALES[language]),
        day_words=partial(_day_words, LOCALES[language]),
        period=partial(_period, LOCALES[language]),
        say=partial(_say, translations),
        join_path=join_path,
        # Not `gettext`, which takes a percent sign of a name for a place where something is filled in.
        translated=translations.gettext,
    )
    return environment


def _say(translations: NullTranslations, said: Sentence) -> str:
    return translations.gettext(said.text) % said.values if said.values else translations.gettext(said.text)


def load_translations(language: str) -> NullTranslations:
    """The catalogue, compiled in memory: a `.mo` file could be older than its `.po`."""
    source = ROOT / "locale" / language / "LC_MESSAGES" / "web.po"
    if not source.exists():  # English is the language of the templates
        return NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def _number(locale: Locale, value: float, decimals: int = 0) -> str:
    words: str = _PATTERNS[decimals].apply(value, locale)
    return words


def _duration(seconds: int) -> str:
    """h:mm, also beyond a day."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


def _moment(locale: Locale, value: datetime, time_zone: str) -> Markup:
    zone = ZoneInfo(time_zone)
    words = format_datetime(value, "d MMM, HH:mm", tzinfo=zone, locale=locale)
    return Markup('<time datetime="{}">{}</time>').format(value.astimezone(zone).isoformat(timespec="minutes"), words)


def _day(locale: Locale, value: date, width: str = "d MMM") -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), format_date(value, width, locale=locale))


def _day_words(locale: Locale, value: date, pattern: str = "d MMM") -> str:
    """A day where there is no room for markup: inside of drawings."""
    words: str = format_date(value, pattern, locale=locale)
    return words


def _period(locale: Locale, first: date, last: date) -> str:
    return format_interval(first, last, "yMMMd", locale=locale)
