"""Settings of web, on top of those of every service."""

from pathlib import Path

from pydantic import Field, HttpUrl, SecretStr, field_validator

from shared.settings import ServiceSettings, ZoneName
from web.http.branding import Branding, check_file, parse_colour

_THIS_MACHINE = {"localhost", "127.0.0.1", "[::1]"}


class Settings(ServiceSettings):
    """The settings of web beside the common ones."""

    auth_url: HttpUrl
    auth_api_key: SecretStr = Field(min_length=1)
    leaderboard_api_key: SecretStr = Field(min_length=1)
    leaderboard_url: HttpUrl
    max_streams: int = Field(5_000, ge=1, le=100_000)  # live pages that one replica holds open
    max_streams_per_address: int = Field(500, ge=1, le=100_000)  # of visitors who are not signed in
    nightly_time_zone: ZoneName = "Europe/Warsaw"  # the same as sync's: pages say when the next nightly run begins
    public_url: HttpUrl  # where browsers reach the site
    site_name: str = Field("Gruppetto", min_length=1, max_length=40)
    site_accent: str = ""  # #rrggbb
    site_logo: Path | None = None
    strava_connect_button: Path | None = None  # Strava's official files, which may not be passed on with the code
    strava_powered_by: Path | None = None
    web_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto sessions`

    @property
    def branding(self) -> Branding:
        """How the site looks."""
        return Branding(
            self.site_name, self.site_accent, self.site_logo, self.strava_connect_button, self.strava_powered_by
        )

    @field_validator("site_accent")
    @classmethod
    def _colour(cls, value: str) -> str:
        if value:
            parse_colour(value)
        return value

    @field_validator("site_logo", "strava_connect_button", "strava_powered_by")
    @classmethod
    def _image(cls, value: Path | None) -> Path | None:
        return check_file(value)

    @field_validator("public_url")
    @classmethod
    def _encrypted(cls, value: HttpUrl) -> HttpUrl:
        if value.scheme != "https" and value.host not in _THIS_MACHINE:
            raise ValueError("it must begin with https://, unless it is an address of this machine such as localhost")
        return value
