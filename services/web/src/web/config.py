"""Settings of web, on top of those of every service."""

from pydantic import Field, HttpUrl, SecretStr, field_validator

from shared.settings import ServiceSettings

_THIS_MACHINE = {"localhost", "127.0.0.1", "[::1]"}


class Settings(ServiceSettings):
    """The settings of web beside the common ones."""

    auth_url: HttpUrl
    auth_api_key: SecretStr = Field(min_length=1)
    leaderboard_api_key: SecretStr = Field(min_length=1)
    leaderboard_url: HttpUrl
    max_streams: int = Field(5_000, ge=1, le=100_000)  # live pages that one replica holds open
    max_streams_per_address: int = Field(500, ge=1, le=100_000)  # of visitors who are not signed in
    public_url: HttpUrl  # where browsers reach the site
    web_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto sessions`

    @field_validator("public_url")
    @classmethod
    def _encrypted(cls, value: HttpUrl) -> HttpUrl:
        if value.scheme != "https" and value.host not in _THIS_MACHINE:
            raise ValueError("it must begin with https://, unless it is an address of this machine such as localhost")
        return value
