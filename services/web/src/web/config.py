"""Settings of web, on top of those of every service."""

from pydantic import Field, HttpUrl, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of web beside the common ones."""

    secret_key_base: SecretStr = Field(min_length=32)
    auth_url: HttpUrl
    auth_api_key: SecretStr = Field(min_length=1)
    leaderboard_url: HttpUrl
