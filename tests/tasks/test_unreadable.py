"""Connections that are defined but malformed, as Airflow's own parsing leaves them."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.exceptions import AirflowException

from redshift_auth_alert.tasks.operators import RedshiftSQLOperator
from redshift_auth_alert.tasks.unreadable import describe_fault
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.aws import CREDENTIALS, REGION, Cloud, running_cloud

VARIABLE = "AIRFLOW_CONN_REDSHIFT_DEFAULT"
SECRET = "correct-horse"
BACKENDS = {
    "SecretsManagerBackend": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
    "SystemsManagerParameterStoreBackend": (
        "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
    ),
}


def in_json(**changed: Any) -> str:
    fields = {"conn_type": "redshift", "host": "127.0.0.1", "port": 1, "login": "auth_monitor", "password": SECRET}
    return json.dumps(fields | changed)


def execute() -> Any:
    operator = RedshiftSQLOperator(
        task_id="query", conn_id="redshift_default", sql="SELECT 1", connection_types="redshift,postgres"
    )
    return operator.execute({})


MALFORMED = [
    (in_json()[:-1], "it is not valid JSON"),
    (in_json(port=f"{SECRET}54"), "its port is not a number from 1 to 65535"),
    (in_json(port=65_536), "its port is not a number from 1 to 65535"),
    (in_json(port=-1), "its port is not a number from 1 to 65535"),
    (in_json(port=[5439]), "its port is not a number from 1 to 65535"),
    (in_json(extra=f"ssl={SECRET}"), "its extra is not a JSON object"),
    (in_json(extra=[SECRET]), "its extra is not a JSON object"),
    (in_json(extra=json.dumps(SECRET)), "its extra is not a JSON object"),
    (in_json(extra=5), "its extra is not a JSON object"),
    (in_json(password=int("4711" * 4)), "its password is not text: put it in quotes"),
    (in_json(host=127), "its host is not text: put it in quotes"),
    (in_json(conn_type=7), "its conn_type is not text: put it in quotes"),
    (in_json(**{SECRET: "x"}), "it has a key that no connection has"),
    (in_json(conn_type=None), "its conn_type is missing"),
    (json.dumps([SECRET]), "its conn_type is missing"),
    (f"{SECRET}@127.0.0.1:5439/dev", "its conn_type is missing"),
    (f"redshift://auth_monitor:{SECRET}@127.0.0.1:{SECRET}/dev", "it is not a URI that Airflow can read"),
    (f"redshift://auth_monitor:{SECRET}@127.0.0.1:65536/dev", "it is not a URI that Airflow can read"),
    (f"redshift://auth_monitor:{SECRET}/#@127.0.0.1:5439/dev", "it is not a URI that Airflow can read"),
    (f"redshift://auth_monitor:{SECRET}[@127.0.0.1:5439/dev", "it is not a URI that Airflow can read"),
    (f"redshift://http://auth_monitor://{SECRET}", "it is not a URI that Airflow can read"),
    (f"redshift://auth_monitor:{SECRET}@127.0.0.1:1/dev?__extra__={SECRET}", "extra is"),
    ("  ", "it is not a URI that Airflow can read"),
]


@pytest.mark.parametrize(("value", "says"), MALFORMED)
def test_a_malformed_connection_fails_at_once_and_says_what_is_wrong_and_where_but_not_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(AirflowFailException) as failed:
        execute()
    message = str(failed.value)
    assert f"'redshift_default' is defined in the environment variable {VARIABLE}, but cannot be read: " in message
    assert says in message
    assert "valid: a URI such as redshift://user:password@host:5439/database" in message
    assert "or a JSON object with conn_type, host, port (a number)" in message
    shown = "".join(traceback.format_exception(failed.value))
    assert SECRET not in shown
    assert "4711" not in shown


@pytest.mark.parametrize(
    "value",
    [
        in_json(),
        in_json(port="1"),
        in_json(port=0),
        in_json(port=65_535, extra={}),
        in_json(extra=None),
        in_json(extra=""),
        in_json(extra='{"ssl": false}'),
        in_json(login=None, description="of the warehouse"),
        f"redshift://auth_monitor:{SECRET}@127.0.0.1:1/dev?ssl=false",
        f" redshift://auth_monitor:{SECRET}@127.0.0.1:1/dev ",
    ],
)
def test_a_connection_that_can_be_read_is_not_called_malformed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(AirflowException, match="the warehouse could not be reached"):
        execute()


def test_a_connection_that_can_be_read_by_now_has_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, in_json())
    assert describe_fault("redshift_default") == ""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        yield running


@pytest.fixture(params=list(BACKENDS))
def backend(request: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """Airflow configured to look for connections in this secrets backend first."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", BACKENDS[request.param])
    monkeypatch.setenv(
        "AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_prefix": f"/{request.param}/connections"})
    )
    return str(request.param)


def put(cloud: Cloud, backend: str, value: str) -> None:
    name = f"/{backend}/connections/redshift_default"
    if backend == "SecretsManagerBackend":
        secrets = cloud.client("secretsmanager")
        held = [secret["Name"] for secret in secrets.list_secrets()["SecretList"]]
        (secrets.put_secret_value if name in held else secrets.create_secret)(
            **{"SecretId" if name in held else "Name": name, "SecretString": value}
        )
    else:
        cloud.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (in_json()[:-1], "it is not valid JSON"),
        (in_json(port=f"{SECRET}54"), "its port is not a number from 1 to 65535"),
        (in_json(extra=f"ssl={SECRET}"), "its extra is not a JSON object"),
        (f"redshift://auth_monitor:{SECRET}@127.0.0.1:{SECRET}/dev", "it is not a URI that Airflow can read"),
    ],
    ids=["JSON", "port", "extra", "URI"],
)
def test_a_malformed_connection_in_a_secrets_backend_is_not_called_undefined(
    cloud: Cloud, backend: str, value: str, says: str
) -> None:
    put(cloud, backend, value)
    with pytest.raises(AirflowException) as failed:
        execute()
    message = str(failed.value)
    assert f"'redshift_default' is defined in the secrets backend {backend}, but cannot be read: {says}" in message
    assert SECRET not in "".join(traceback.format_exception(failed.value))


def test_a_connection_that_no_secrets_backend_holds_is_not_called_malformed(cloud: Cloud, backend: str) -> None:
    operator = RedshiftSQLOperator(task_id="query", conn_id="nowhere", sql="SELECT 1")
    with pytest.raises(AirflowException, match="Connection 'nowhere' is not defined: add it"):
        operator.execute({})
