"""The site's name, logo and colour, and Strava's own files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.assets import load_assets
from web.http.branding import _PAPERS, MIN_CONTRAST, Branding, adapt, check_file, contrast, parse_colour
from web.http.rendering import Renderer


@given(st.integers(0, 0xFFFFFF), st.sampled_from(["light", "dark"]))
def test_any_colour_becomes_one_that_can_be_read(colour: int, theme: str) -> None:
    adapted = adapt(parse_colour(f"#{colour:06x}"), theme)
    assert contrast(adapted, _PAPERS[theme]) >= MIN_CONTRAST


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert adapt(parse_colour("#0b6e5f"), "light") == parse_colour("#0b6e5f")


def test_the_accent_is_in_the_one_style_sheet() -> None:
    css = load_assets(Branding(accent="#ff0000"))["site.css"].content.decode()
    assert ":root:root { --accent: light-dark(#" in css
    assert ":root:root" not in load_assets()["site.css"].content.decode()


@pytest.mark.parametrize("text", ["red", "#12", "#12345g", "0b6e5f", "#0b6e5f;}"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it must be a colour such as #0b6e5f"):
        parse_colour(text)


def test_a_file_that_is_no_small_image_is_refused(tmp_path: Path) -> None:
    large, wrong = tmp_path / "large.svg", tmp_path / "logo.exe"
    large.write_bytes(b" " * 60_000)
    wrong.write_bytes(b"x")
    for path, why in ((large, "at most 50 KB"), (wrong, "ends with .svg"), (tmp_path / "no.png", "no such file")):
        with pytest.raises(ValueError, match=why):
            check_file(path)


def test_a_logo_and_strava_s_files_stand_where_words_stood(tmp_path: Path) -> None:
    for name in ("logo", "connect", "powered"):
        (tmp_path / f"{name}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="ascii")
    branding = Branding("Biegacze", "", *(tmp_path / f"{name}.svg" for name in ("logo", "connect", "powered")))
    renderer = Renderer(load_assets(branding), branding)
    assert 'alt=""' in renderer.render("en", "partials/wordmark.html", {})
    assert "Biegacze" in renderer.render("en", "partials/wordmark.html", {})
    assert 'alt="Powered by Strava"' in renderer.render("en", "partials/powered.html", {})
    assert "/static/brand/logo." in load_assets(branding)["brand/logo.svg"].url
