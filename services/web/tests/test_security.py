"""Security headers everywhere, and no writes from other sites."""

import re

import httpx
import pytest


@pytest.mark.parametrize("path", ["/", "/join", "/privacy", "/nowhere", "/c/autumn/running", "/auth/strava/callback"])
async def test_every_page_carries_the_strict_policy(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://club.example"}, 403),
        ({"Origin": "https://club.example"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_only_our_own_pages_may_post(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    del client.headers["Sec-Fetch-Site"]
    answer = await client.post("/sign-out", headers=headers)
    assert answer.status_code == status
    assert "content-security-policy" in answer.headers
