"""Settings of sync."""

from pydantic import Field, HttpUrl, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What sync needs: where the vault and Strava's data API are, and how much it does at a time."""

    auth_url: HttpUrl
    vault_access_key: SecretStr = Field(min_length=16)
    strava_api_url: HttpUrl = HttpUrl("https://www.strava.com/api/v3")
    sync_concurrency: int = Field(default=4, ge=1, le=64)  # jobs at a time in one worker
