"""What people agreed to can be looked up by the version that is stored with their consent."""

import hashlib
import re

import pytest
from httpx import AsyncClient

from web.sign_in.rules import CONSENT_VERSION

#: The digest of the texts of each version in each language. Those of a version that was served never change.
AGREED_TEXTS = {
    "2026-11-29.3": {
        "en": "aa58bca52043651741673dc9e01c744066fe485d10ca2cc74400fb78d392178d",
        "pl": "b67213e55cbf07f3de4481912440498904626979a11c61424343a6062a030f48",
    },
    "2026-11-29.2": {
        "en": "aa58bca52043651741673dc9e01c744066fe485d10ca2cc74400fb78d392178d",
        "pl": "c3987daec0504bb74694d3c755d03666243bf9d5f30c5ca84a01b9e0146280d9",
    },
    "2026-11-29": {
        "en": "070a9889f94999459275de93c2a5d2fbb788c1492e4bd745f8214e652fb179d8",
        "pl": "31441029a60ba3f3d98c579dfaed8312cf7e3481b1a2f32db50bb38d599e05cd",
    },
    "2026-11-22": {
        "en": "861fb17f63960507998d142b7f8133830720c57fd5c3cc693aaaf5ce28c1a01c",
        "pl": "0edd4f37db36660d1c11d60eeda9c39790ec8d1fc68bc364720bd61871c68c70",
    },
}


@pytest.mark.parametrize("language", ["en", "pl"])
async def test_the_texts_that_people_agree_to_change_only_with_their_version(
    client: AsyncClient, language: str
) -> None:
    pages = [
        await client.get(path, headers={"Accept-Language": language}) for path in ("/join", "/privacy", "/terms")
    ]
    mains = [re.search(r"<main.*?</main>", page.text, re.DOTALL) for page in pages]
    words = " ".join(re.sub(r"<[^>]+>", " ", main[0]) for main in mains if main).split()
    digest = hashlib.sha256(" ".join(words).encode()).hexdigest()
    assert AGREED_TEXTS[CONSENT_VERSION][language] == digest, (
        "A text that people agree to has changed: give it a new CONSENT_VERSION, and add its digests to AGREED_TEXTS."
    )
