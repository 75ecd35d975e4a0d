"""Settings: read once at start, from the environment, and passed down as values."""

import sys
from typing import Annotated, Literal, NoReturn, TypeAlias, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AmqpDsn, Field, PostgresDsn, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected a time zone such as Europe/Warsaw") from None
    return name


#: The name of a time zone that this machine knows.
ZoneName: TypeAlias = Annotated[str, AfterValidator(_check_zone)]


class ServiceSettings(BaseSettings):
    """What every service needs; secrets have no default."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    database_url: PostgresDsn
    rabbitmq_url: AmqpDsn
    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    outbox_poll_interval: float = Field(default=0.25, gt=0, le=30)  # seconds
    internal_host: str = "127.0.0.1"
    internal_port: int = Field(ge=1, le=65535)


Settings = TypeVar("Settings", bound=BaseSettings)


def load_settings(settings: type[Settings]) -> Settings:
    """The settings from the environment; exits with status 2 and one line that names each bad setting.

    The line never shows a value, because a malformed secret is still a secret.
    """
    try:
        return settings()
    except ValidationError as error:
        exit_misconfigured("; ".join(_problem(e["loc"], e["type"], e["msg"]) for e in error.errors()))
    except SettingsError as error:  # a list that is no JSON; the text names the field and not the value
        exit_misconfigured(str(error))


def exit_misconfigured(why: str) -> NoReturn:
    """End the process with status 2 and one line for the operator."""
    sys.stderr.write(f"cannot start: {' '.join(why.split())}\n")
    raise SystemExit(2)


def _problem(place: tuple[int | str, ...], kind: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:  # a rule about several settings; its message says which
        return message
    name = str(place[0]).upper()
    return f"{name} is not set" if kind == "missing" else f"{name} is not valid: {message}"
