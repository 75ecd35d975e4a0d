"""Settings of leaderboard."""

from datetime import date
from typing import Self
from zoneinfo import available_timezones

from pydantic import Field, HttpUrl, SecretStr, model_validator

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What leaderboard needs: who may call it, and the default challenge. Without dates it is the present month."""

    leaderboard_api_key: SecretStr = Field(min_length=16)  # web's
    leaderboard_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto api-keys`
    api_key_requests_per_minute: int = Field(default=120, ge=1)
    sync_status_url: HttpUrl | None = None  # without it organisers do not see how fetching goes
    sync_operator_key: SecretStr | None = Field(default=None, min_length=16)
    challenge_name: str = "Gruppetto"
    challenge_first_day: date | None = None
    challenge_last_day: date | None = None
    challenge_time_zone: str = "Europe/Warsaw"

    @model_validator(mode="after")
    def _separate_callers(self) -> Self:
        if self.leaderboard_api_key.get_secret_value() == self.leaderboard_operator_key.get_secret_value():
            raise ValueError(
                "LEADERBOARD_API_KEY and LEADERBOARD_OPERATOR_KEY must differ, or one caller could do what only "
                "another may"
            )
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.sync_status_url is None) != (self.sync_operator_key is None):
            raise ValueError("SYNC_STATUS_URL and SYNC_OPERATOR_KEY must be given both or neither")
        if self.sync_operator_key is not None and not self.sync_operator_key.get_secret_value().isascii():
            raise ValueError("SYNC_OPERATOR_KEY must be of ASCII characters, because it is sent in a header")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.challenge_time_zone not in available_timezones():
            raise ValueError("CHALLENGE_TIME_ZONE is not a known time zone")
        first, last = self.challenge_first_day, self.challenge_last_day
        if (first is None) != (last is None) or (first and last and first > last):
            raise ValueError(
                "CHALLENGE_FIRST_DAY and CHALLENGE_LAST_DAY must be given both or neither, in this order"
            )
        return self
