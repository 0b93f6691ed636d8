"""From the Lambda's variables to a monitor."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from redshift_auth_alert.errors import SettingsError
from redshift_auth_alert.migrate import VARIABLES, main, migrate
from redshift_auth_alert.monitors import load_monitors
from redshift_auth_alert.settings import Settings
from tests.conftest import TOPIC

LAMBDA = {
    "dbname": "dev",
    "endpoint": "warehouse.abc123.eu-central-1.redshift.amazonaws.com",
    "port": "5439",
    "user_ps": "/redshift/user",
    "password_ps": "/redshift/password",
    "threshold": "20",
    "sns_topic_arn": TOPIC,
    "env": "production",
}


def test_each_variable_becomes_a_setting_or_a_field_of_the_connection() -> None:
    migration = migrate(LAMBDA)
    settings = Settings.model_validate(yaml.safe_load(migration.monitor_file))
    assert (settings.environment, settings.sns_topic_arn, settings.threshold) == ("production", TOPIC, 20)
    assert (settings.user_parameter, settings.password_parameter) == ("/redshift/user", "/redshift/password")
    assert migration.connection == {
        "conn_type": "redshift", "host": LAMBDA["endpoint"], "port": 5439, "schema": "dev",
    }  # fmt: skip


def test_what_the_lambda_did_stays_so() -> None:
    settings = Settings.model_validate(migrate(LAMBDA).settings)
    assert (settings.window_minutes, settings.group_by, settings.schedule) == (30, ("remote_host",), "*/30 * * * *")


@pytest.mark.parametrize(
    ("endpoint", "host", "source"),
    [
        pytest.param("w.abc.eu-central-1.redshift.amazonaws.com:5439/dev", "w.abc.eu-central-1.redshift.amazonaws.com",
                     "stl_connection_log", id="as the console shows it"),
        pytest.param("W.123.EU-central-1.Redshift-Serverless.amazonaws.com",
                     "w.123.eu-central-1.redshift-serverless.amazonaws.com", "sys_connection_log", id="in capitals"),
        pytest.param("w.123.eu-central-1.redshift-serverless.amazonaws.com",
                     "w.123.eu-central-1.redshift-serverless.amazonaws.com", "sys_connection_log", id="Serverless"),
    ],
)  # fmt: skip
def test_the_endpoint_tells_host_and_source(endpoint: str, host: str, source: str) -> None:
    migration = migrate(LAMBDA | {"endpoint": endpoint})
    assert (migration.connection["host"], migration.settings["source"]) == (host, source)


def test_the_commands_hold_the_connection_and_no_secret() -> None:
    commands = migrate(LAMBDA).commands
    put = next(line for line in commands.splitlines() if line.startswith("aws ssm put-parameter"))
    assert json.loads(shlex.split(put)[-1]) == migrate(LAMBDA).connection
    deploy = set(shlex.split(commands.split("aws cloudformation deploy")[1].split("# 4.")[0]))
    assert {
        f"ExistingTopicArn={TOPIC}",
        "UserParameter=/redshift/user",
        "PasswordParameter=/redshift/password",
    } <= deploy


def test_the_commands_quote_what_the_shell_would_read(tmp_path: Path) -> None:
    odd = {"dbname": "o'brien $(id)", "port": "5440", "env": "on", "threshold": " 20 "}
    migration = migrate(LAMBDA | odd)
    put = next(line for line in migration.commands.splitlines() if line.startswith("aws ssm put-parameter"))
    words = shlex.split(put)
    assert words[words.index("--name") + 1] == "/airflow/connections/redshift_default"
    assert json.loads(words[-1])["schema"] == "o'brien $(id)"
    assert json.loads(words[-1])["port"] == 5440
    assert yaml.safe_load(migration.monitor_file)["environment"] == "on"
    assert migration.settings["metrics_namespace"] == "RedshiftAuthAlert"


@pytest.mark.parametrize("name", VARIABLES)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"the Lambda's variables: {name} is missing"):
        migrate(LAMBDA | {name: " "})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"threshold": "ten"}, "threshold is 'ten'; valid: an integer from 1 to 1000000"),
        ({"threshold": "0"}, "threshold is '0'; valid: an integer from 1 to 1000000"),
        ({"port": "65536"}, "port is '65536'; valid: an integer from 1 to 65535"),
        ({"sns_topic_arn": "alerts"}, "sns_topic_arn is 'alerts'"),
        ({"user_ps": "no name"}, "user_parameter is 'no name'"),
        ({"user_ps": "redshift/user"}, "user_parameter is 'redshift/user'"),
        ({"env": None}, "env is missing"),
        ({"sns_topic_arn": "{{ var.value.topic }}"}, "valid: an SNS topic ARN"),
        ({"endpoint": "https://warehouse.example"}, "endpoint is 'https://warehouse.example' with port '5439'"),
        ({"endpoint": "warehouse.example extra"}, "valid: a host's name"),
        ({"endpoint": "warehouse.example:5440/dev"}, "with port '5439'"),
    ],
)
def test_an_invalid_variable_is_named_with_what_is_valid(changed: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        migrate(LAMBDA | changed)


@pytest.fixture
def variables(tmp_path: Path) -> Path:
    file = tmp_path / "lambda.json"
    file.write_text(json.dumps(LAMBDA))
    return file


def test_the_written_file_is_a_monitor(variables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "monitors").mkdir()
    assert main([str(variables), "--write", str(tmp_path / "monitors" / "default.yaml")]) == 0
    monitors, problems = load_monitors(tmp_path / "monitors")
    assert (len(monitors), problems) == (1, [])
    assert "make deploy" in capsys.readouterr().out


def test_a_file_that_is_there_is_not_overwritten(
    variables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "default.yaml"
    there.write_text("mine")
    assert main([str(variables), "--write", str(there)]) == 1
    assert there.read_text() == "mine"
    assert "is there already: name another, or replace it with --force" in capsys.readouterr().err


def test_a_file_that_is_there_is_replaced_where_that_is_asked_for(variables: Path, tmp_path: Path) -> None:
    there = tmp_path / "default.yaml"
    there.write_text("mine")
    assert main([str(variables), "--write", str(there), "--force"]) == 0
    assert "environment: production" in there.read_text()


@pytest.mark.parametrize("content", ["", "[]", "{", "3", '{"Environment": null}', '{"Environment": "x"}'])
def test_a_file_that_holds_no_variables_is_refused(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lambda.json").write_text(content)
    assert main([str(tmp_path / "lambda.json")]) == 1
    assert "lambda.json" in capsys.readouterr().err


def test_the_functions_whole_configuration_is_taken_too(tmp_path: Path) -> None:
    (tmp_path / "lambda.json").write_text(json.dumps({"FunctionName": "alert", "Environment": {"Variables": LAMBDA}}))
    assert main([str(tmp_path / "lambda.json")]) == 0
