"""`gruppetto topology`, as its user runs it."""

import json

import pytest
from typer.testing import CliRunner

from ops.cli import app
from shared.contracts.queues import QUEUES
from shared.messaging.topology import policies

NOWHERE = {"RABBITMQ_URL": "amqp://u:canary@127.0.0.1:1/", "RABBITMQ_MANAGEMENT_URL": "http://u:canary@127.0.0.1:1"}


def test_it_declares_and_declares_again(rabbitmq_url: str, management_url: str) -> None:
    env = {"RABBITMQ_URL": rabbitmq_url, "RABBITMQ_MANAGEMENT_URL": management_url}
    for _ in range(2):
        done = CliRunner().invoke(app, ["topology", "declare"], env=env)
        assert done.exit_code == 0, done.output
        assert done.stdout.startswith(f"{len(QUEUES)} queues")


@pytest.mark.parametrize(
    ("arguments", "env", "why"),
    [
        ([], {"RABBITMQ_MANAGEMENT_URL": ""}, "RABBITMQ_MANAGEMENT_URL"),
        ([], {}, "the management API does not answer (ConnectError)"),
        (["--no-policies"], {}, "no connection to the broker at 127.0.0.1:1"),
    ],
)
def test_trouble_is_one_line_without_a_password(arguments: list[str], env: dict[str, str], why: str) -> None:
    done = CliRunner().invoke(app, ["topology", "declare", *arguments], env=NOWHERE | env)
    assert done.exit_code != 0
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.output


def test_the_policies_are_printed_as_definitions_that_a_broker_imports() -> None:
    printed = json.loads(CliRunner().invoke(app, ["topology", "policies", "--virtual-host", "club"]).stdout)
    assert {policy["name"] for policy in printed["policies"]} == set(policies())
    assert {policy["vhost"] for policy in printed["policies"]} == {"club"}
