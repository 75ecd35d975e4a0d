"""Settings of web, on top of those of every service."""

from pydantic import Field, HttpUrl, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of web beside the common ones."""

    auth_url: HttpUrl
    auth_api_key: SecretStr = Field(min_length=1)
    leaderboard_api_key: SecretStr = Field(min_length=1)
    leaderboard_url: HttpUrl
    web_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto sessions`
