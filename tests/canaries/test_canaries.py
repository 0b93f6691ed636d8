"""Secrets of unusual text in runs that fail in every way that handles them, and where a real Airflow keeps anything.

One text is planted on purpose, and is found: so the others are nowhere, and not just overlooked.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import requests

from sandbox.aws import REGION, Cloud, running_cloud
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.proxy import running_proxy
from sandbox.warehouse import DATABASE, Warehouse, free_port, running_warehouse

PLANTED = "planted-ibis-5b1d"
PASSWORD, PARAMETER, AWS_KEY, AWS_TOKEN, IN_EXTRA = (
    f"canary-{bird}-9f3c" for bird in ("password", "parameter", "key", "token", "extra")
)
CANARIES = (PASSWORD, PARAMETER, AWS_KEY, AWS_TOKEN, IN_EXTRA)
PLACES = ("files", "metadata database", "inbox", "metrics")
SSM = f"{DAG_ID}__ssm"
NO_PARAMETER = f"{DAG_ID}__no_parameter"
NOWHERE = f"arn:aws:sns:{REGION}:123456789012:nowhere"
PARAMETERS = {"user_parameter": "/canary/user", "password_parameter": "/canary/password"}
MONITORS = {
    "default.yaml": monitor_file(start_date=NEVER, threshold=3, metrics_namespace=PLANTED),
    "ssm.yaml": monitor_file(start_date=NEVER, **PARAMETERS),
    "no_parameter.yaml": monitor_file(start_date=NEVER, **PARAMETERS | {"user_parameter": "/canary/nothing"}),
}


class Run(NamedTuple):
    """A run's DAG, what it connects with, and its state."""

    dag_id: str
    conn_id: str
    state: str


@dataclass
class World:
    """The running parts, the runs, and in each place all the text that there is."""

    warehouse: Warehouse
    cloud: Cloud
    airflow: Airflow
    runs: dict[str, Run] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        run_id = self.airflow.trigger(conf, dag_id)
        self.runs[run_id] = Run(dag_id, str(conf.get("conn_id", "planted")), "")
        return run_id

    def all_ended_but(self, unpublished: str) -> bool:
        """Whether all runs have ended, and the one that has no topic waits to try again."""
        time.sleep(3)  # the API server has enough to do
        with contextlib.suppress(requests.ReadTimeout):
            for dag_id in FAILING:
                for run in self.airflow.runs(dag_id):
                    known = self.runs[run["dag_run_id"]]
                    self.runs[run["dag_run_id"]] = known._replace(state=run["state"])
            waits = self.airflow.task_states(unpublished)["publish_alert"] == "up_for_retry"
            others = [run.state for run_id, run in self.runs.items() if run_id != unpublished]
            return waits and not {"", "queued", "running"} & {*others}
        return False

    def read(self) -> None:
        """Read every place that anything may have been written to."""
        files = [path for path in self.airflow.folder.rglob("*") if path.is_file() and not _is_ours(path)]
        inbox = [[mail.subject, mail.body, mail.attributes] for mail in self.cloud.take_mail()]
        self.texts = {
            "files": "\n".join(path.read_text(errors="replace") for path in files),
            "metadata database": self._dump(),
            "inbox": json.dumps(inbox),
            "metrics": json.dumps(self.cloud.client("cloudwatch").list_metrics(), default=str),
        }

    def _dump(self) -> str:
        """Return every row of every table, bytes in hexadecimal digits and as text."""
        with psycopg.connect(
            host="127.0.0.1", port=self.warehouse.postgres_port, user="airflow", password="airflow", dbname="airflow"
        ) as metadata:
            tables = metadata.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            return "\n".join(
                f"{table}: {row}"
                for (table,) in tables
                for (row,) in metadata.execute(f'SELECT t::text FROM "{table}" t')
            )

    def holds(self, text: str) -> list[str]:
        """The places that hold ``text``, as it is or as the database writes bytes."""
        return [place for place in PLACES if text in self.texts[place] or text.encode().hex() in self.texts[place]]


def _is_ours(path: Path) -> bool:
    """Whether it is the package, that the monitor files plant the text in, and no output of Airflow."""
    return bool({"dags", "plugins", "bundle"} & set(path.parts))


@contextlib.contextmanager
def denying() -> Iterator[str]:
    """An AWS that denies everything."""

    class Deny(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = b'{"__type": "AccessDeniedException", "message": "not authorized"}'
            self.send_response(400)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Deny)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def aws(endpoint: str) -> str:
    extra = {"region_name": REGION, "endpoint_url": endpoint, "aws_session_token": AWS_TOKEN}
    return json.dumps({"conn_type": "aws", "login": "canary", "password": AWS_KEY, "extra": extra})


def connections(warehouse: Warehouse, cut: int, cloud: Cloud, denied: str) -> dict[str, str]:
    """The connections to the warehouse, each of which fails in its own way, and those to AWS."""

    def redshift(**changed: Any) -> str:
        fields = {
            "conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "auth_monitor",
            "password": PASSWORD, "schema": DATABASE, "extra": {"ssl": False},
        }  # fmt: skip
        return json.dumps(fields | changed)

    old = f"{PASSWORD}-old"
    iam = {"ssl": False, "iam": True, "cluster_identifier": "nothing"}
    found = {
        "aws_default": aws(cloud.endpoint),
        "aws_denied": aws(denied),
        "good": redshift(),
        "refused": redshift(password=old),
        "refused_by_postgres": redshift(password=old, conn_type="postgres", port=warehouse.postgres_port, extra={}),
        "unreachable": redshift(port=free_port()),
        "cut": redshift(port=cut),
        "driver": redshift(extra={"ssl": False, "nonsense": IN_EXTRA}),
        "bad_extra": redshift(extra=f"ssl={IN_EXTRA}"),
        "bad_json": redshift()[:-1],
        "bad_port": redshift(port=PASSWORD),
        "bad_uri": f"redshift://http://auth_monitor://{PASSWORD}@127.0.0.1",
        "iam": redshift(extra=iam),
        "iam_denied": redshift(extra=iam | {"aws_conn_id": "aws_denied"}),
        "ssm_denied": redshift(extra={"ssl": False, "aws_conn_id": "aws_denied"}),
    }
    return {f"AIRFLOW_CONN_{name.upper()}": value for name, value in found.items()}


# By DAG the connections of its runs, which all fail.
FAILING = {
    DAG_ID: ["refused", "refused_by_postgres", "unreachable", "cut", "driver", "bad_extra", "bad_json", "bad_port",
             "bad_uri", "iam", "iam_denied"],
    SSM: ["refused", "ssm_denied"],
    NO_PARAMETER: ["refused"],
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which all runs have ended, and all places are read."""
    with contextlib.ExitStack() as parts:
        cloud, warehouse = parts.enter_context(running_cloud()), parts.enter_context(running_warehouse())
        proxy = parts.enter_context(running_proxy(warehouse.port))
        proxy.behaviour, proxy.limit = "cut", 700  # past the sign-in, within the result
        with warehouse.admin() as admin:
            admin.execute(f"ALTER ROLE auth_monitor PASSWORD '{PASSWORD}'")
        for name, value in {"user": "auth_monitor", "password": PARAMETER}.items():
            cloud.client("ssm").put_parameter(Name=f"/canary/{name}", Value=value, Type="SecureString")
        variables = connections(warehouse, proxy.port, cloud, parts.enter_context(denying()))
        variables["AIRFLOW__CORE__PARALLELISM"] = "2"
        home = tmp_path_factory.mktemp("airflow")
        airflow = parts.enter_context(running_airflow(home, warehouse, cloud, MONITORS, variables=variables))
        for dag_id in FAILING:
            airflow.unpause(dag_id)
        for _ in range(3):
            assert not warehouse.login("127.0.0.11", "admin", "guess")
        world = World(warehouse, cloud, airflow)
        for dag_id, conn_ids in FAILING.items():
            for conn_id in conn_ids:
                world.trigger(dag_id, conn_id=conn_id, environment=conn_id)
        world.trigger(DAG_ID, **{PLANTED: 1})
        world.trigger(DAG_ID, conn_id="good")
        unpublished = world.trigger(DAG_ID, conn_id="good", sns_topic_arn=NOWHERE)
        airflow.wait_until(lambda: world.all_ended_but(unpublished), 1200, "the runs to end")
        world.read()
        yield world


def test_each_run_that_was_to_fail_failed(world: World) -> None:
    failed = {(run.dag_id, run.conn_id) for run in world.runs.values() if run.state == "failed"}
    assert failed == {(dag_id, conn_id) for dag_id in FAILING for conn_id in FAILING[dag_id]} | {(DAG_ID, "planted")}


def test_the_run_that_could_sign_in_and_publish_succeeded(world: World) -> None:
    assert [run.conn_id for run in world.runs.values() if run.state == "success"] == ["good"]


@pytest.mark.parametrize(
    "says",
    [
        "the warehouse refused the sign-in",
        "could not be reached",
        "was cut while the result was read",
        "unexpected keyword argument",
        "its extra is not a JSON object",
        "it is not valid JSON",
        "its port is not a number",
        "it is not a URI that Airflow can read",
        "there is no such cluster",
        "access is denied",
        "there is no such parameter",
        "NotFound",
    ],
)
def test_it_failed_in_the_way_that_was_meant(world: World, says: str) -> None:
    assert "files" in world.holds(says)


def test_a_text_that_is_planted_is_found_in_every_place(world: World) -> None:
    assert world.holds(PLANTED) == [*PLACES]


@pytest.mark.parametrize("canary", CANARIES)
def test_no_place_holds_the_secret(world: World, canary: str) -> None:
    assert world.holds(canary) == []
