"""Settings: what is wrong is said in one line, without showing a value."""

import pytest
from pydantic import SecretStr, model_validator

from shared.settings import ServiceSettings, load_settings

GOOD = {
    "DATABASE_URL": "postgresql://user:canary@localhost/db",
    "RABBITMQ_URL": "amqp://user:canary@localhost/",
    "HTTP_PORT": "8000",
    "INTERNAL_PORT": "8001",
    "VAULT_KEY": "canary-key",
    "PEOPLE": "[1, 2]",
}


class Settings(ServiceSettings):
    vault_key: SecretStr
    people: list[int]

    @model_validator(mode="after")
    def _whole(self) -> "Settings":
        if self.http_host == "nowhere":
            raise ValueError("HTTP_HOST and HTTP_PORT\ndo not go together")
        return self


def test_good_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(monkeypatch).people == [1, 2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VAULT_KEY": None}, "cannot start: VAULT_KEY is not set\n"),
        ({"VAULT_KEY": None, "HTTP_PORT": None}, "cannot start: HTTP_PORT is not set; VAULT_KEY is not set\n"),
        ({"DATABASE_URL": "canary"}, "cannot start: DATABASE_URL is not valid: "),
        ({"RABBITMQ_URL": "http://canary:canary@canary"}, "cannot start: RABBITMQ_URL is not valid: "),
        ({"HTTP_PORT": "canary"}, "cannot start: HTTP_PORT is not valid: "),
        ({"LOG_LEVEL": "canary"}, "cannot start: LOG_LEVEL is not valid: "),
        ({"PEOPLE": '["canary"]'}, "cannot start: PEOPLE is not valid: "),
        ({"PEOPLE": "canary"}, 'cannot start: error parsing value for field "people"'),
        ({"HTTP_HOST": "nowhere"}, "cannot start: HTTP_HOST and HTTP_PORT do not go together\n"),
    ],
)
def test_bad_settings_end_the_process_with_status_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changes: dict[str, str | None], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        _load(monkeypatch, **changes)
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert err.startswith(said)
    assert err.count("\n") == 1
    assert "canary" not in out + err


def _load(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Settings:
    for name, value in (GOOD | changes).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return load_settings(Settings)
