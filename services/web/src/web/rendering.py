"""Templates in each language: numbers, dates and words as its readers expect them."""

import io
from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_interval
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2_fragments import render_block
from markupsafe import Markup

from shared.contracts.leaderboard_api import BoardStandings
from web.assets import Asset

HERE = Path(__file__).parent
LANGUAGES = {"en": "English", "pl": "Polski"}
LOCALES = {"en": "en_GB", "pl": "pl_PL"}
BOARD_TEMPLATE = "pages/board.html"


class Renderer:
    """One template environment a language; rendering does no IO after the first use of a template."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._environments = {language: _environment(language, assets) for language in LANGUAGES}

    def page(self, language: str, template: str, context: Mapping[str, Any]) -> str:
        return self._environments[language].get_template(f"pages/{template}").render(context)

    def board(self, standings: BoardStandings, language: str) -> str:
        """The part of a board's page that is the same for everyone, and live."""
        return render_block(self._environments[language], BOARD_TEMPLATE, "standings", standings=standings)


def _environment(language: str, assets: Mapping[str, Asset]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # the extension adds it
        load_translations(language), newstyle=True
    )
    environment.globals.update(
        language=language,
        languages=LANGUAGES,
        asset=lambda name: assets[name].url,
        inline=lambda name: assets[name].inline,
        number=partial(_number, LOCALES[language]),
        duration=_duration,
        moment=partial(_moment, LOCALES[language]),
        period=partial(_period, LOCALES[language]),
    )
    return environment


def load_translations(language: str) -> NullTranslations:
    """The catalogue, compiled in memory: a `.mo` file could be older than its `.po`."""
    source = HERE / "locale" / language / "LC_MESSAGES" / "web.po"
    if not source.exists():  # English is the language of the templates
        return NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def _number(locale: str, value: float, decimals: int = 0) -> str:
    words: str = format_decimal(value, "#,##0.0" if decimals else "#,##0", locale=locale)
    return words


def _duration(seconds: int) -> str:
    """h:mm, also beyond a day."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


def _moment(locale: str, value: datetime, time_zone: str) -> Markup:
    zone = ZoneInfo(time_zone)
    words = format_datetime(value, "d MMM, HH:mm", tzinfo=zone, locale=locale)
    return Markup('<time datetime="{}">{}</time>').format(value.astimezone(zone).isoformat(timespec="minutes"), words)


def _period(locale: str, first: date, last: date) -> str:
    return format_interval(first, last, "yMMMd", locale=locale)
