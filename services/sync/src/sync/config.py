"""Settings of sync's two processes."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, model_validator

from shared.settings import ServiceSettings, ZoneName


def _is_path_segment(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,100}", secret.get_secret_value()):
        raise ValueError("expected 16 to 100 letters, digits, - or _")
    return secret


class WorkerSettings(ServiceSettings):
    """What the worker needs: where the vault and Strava's data API are, and how much it does at a time."""

    auth_url: HttpUrl
    vault_access_key: SecretStr = Field(min_length=16)
    strava_api_url: HttpUrl = HttpUrl("https://www.strava.com/api/v3")
    sync_concurrency: int = Field(default=4, ge=1, le=64)  # jobs at a time in one worker
    freshness_s: int = Field(default=600, ge=1, le=86_400)  # the same as of the other process


class ApiSettings(ServiceSettings):
    """What the other process needs: who may operate it, when the night is, and where webhooks arrive."""

    sync_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto sync` and `gruppetto webhooks`
    freshness_s: int = Field(default=600, ge=1, le=86_400)  # within which a change is known that Strava tells of
    relist_days: int = Field(default=7, ge=1, le=90)  # how old a listing may get while webhooks tell of changes
    nightly_time_zone: ZoneName = "Europe/Warsaw"
    strava_api_url: HttpUrl = HttpUrl("https://www.strava.com/api/v3")
    webhook_url: HttpUrl | None = None  # the public address of HTTP_PORT; without it, no webhooks
    webhook_secret: Annotated[SecretStr, AfterValidator(_is_path_segment)] | None = None  # part of its path
    strava_client_id: int | None = None
    strava_client_secret: SecretStr | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _webhooks_as_a_whole(self) -> Self:
        needed = [self.webhook_secret, self.strava_client_id, self.strava_client_secret]
        if self.webhook_url is not None and None in needed:
            raise ValueError("WEBHOOK_URL needs WEBHOOK_SECRET, STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET, too")
        return self
