"""What is served to every browser."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx

import web
from web.http.assets import load_assets

STATIC = Path(web.__file__).with_name("static")


def test_the_vendored_files_are_those_of_the_lock() -> None:
    lock = json.loads((STATIC / "vendor/vendor.lock.json").read_text(encoding="utf-8"))
    vendored = {path.name for path in (STATIC / "vendor").iterdir()} - {"vendor.lock.json"}
    assert vendored == set(lock["files"])
    for name, file in lock["files"].items():
        digest = hashlib.sha384((STATIC / "vendor" / name).read_bytes()).digest()
        assert file["integrity"] == f"sha384-{base64.b64encode(digest).decode()}", name


async def test_files_are_cached_for_ever_under_a_name_that_changes_with_them(client: httpx.AsyncClient) -> None:
    page = await client.get("/c/autumn/running")
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(addresses) == 2
    for address in addresses:
        file = await client.get(address)
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]
        assert re.search(r"\.[0-9a-f]{12}\.", address)


async def test_a_cold_board_page_weighs_less_than_50_kb_in_at_most_6_requests(client: httpx.AsyncClient) -> None:
    page = await client.get("/c/autumn/running", headers={"Accept-Encoding": "gzip"})
    sizes = [int(page.headers["content-length"])]
    for address in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)):
        file = await client.get(address, headers={"Accept-Encoding": "gzip"})
        sizes.append(int(file.headers["content-length"]))
    assert len(sizes) <= 6
    assert sum(sizes) <= 50_000


async def test_htmx_cannot_start_before_its_extension_is_there(client: httpx.AsyncClient) -> None:
    page = await client.get("/c/autumn/running")
    scripts = re.findall(r'<script src="([^"]+)"', page.text)
    assert len(scripts) == 1
    script = (await client.get(scripts[0])).text
    assert 0 < script.index("readyState") < script.index('registerExtension("sse"') < script.index("htmx:sse:error")


def test_our_own_style_stays_small() -> None:
    assert len(gzip.compress(load_assets()["site.css"].content)) <= 10 * 1024
