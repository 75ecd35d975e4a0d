"""Settings of ingest."""

from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What ingest needs beside the common settings."""

    ingest_operator_key: SecretStr = Field(min_length=16)  # of `gruppetto activities`
    default_time_zone: str = "Europe/Warsaw"  # of activities that do not say where they took place

    @field_validator("default_time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no such time zone")
        return value
