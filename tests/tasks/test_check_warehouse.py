"""The checks of the set-up: on the local Redshift and AWS, each with a case in which it is not ok."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
import redshift_connector

from redshift_auth_alert.message.setup import Check
from redshift_auth_alert.tasks.check_warehouse import check_sources, main
from redshift_auth_alert.tasks.metrics import check_metrics
from redshift_auth_alert.tasks.sign_in import choose_hook
from redshift_auth_alert.tasks.source_check import SourceCheck
from sandbox.aws import REGION, Cloud, running_cloud
from sandbox.warehouse import Warehouse, free_port
from tests.conftest import ROOT, make_run

LOG = "SELECT * FROM public.stl_connection_log"
COLUMNS = ["event", "recordtime", "remotehost", "pid", "dbname", "username", "authmethod", "sslversion",
           "application_name", "os_version", "driver_version"]  # fmt: skip
# In the order in which they are made.
NAMES = ["connection", "credentials", "sign-in", "warehouse", "lockout", "log", "rights", "delay", "events", "names",
         "plan", "statement"]  # fmt: skip
Checks = Callable[..., dict[str, Check]]


def changed(column: str, value: str) -> str:
    """The log with another value in each row of a column."""
    columns = ", ".join(f"{value} AS {name}" if name == column else name for name in COLUMNS)
    return f"SELECT {columns} FROM ({LOG}) AS log"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        for name in ("user", "password"):
            running.client("ssm").put_parameter(Name=f"/check/{name}", Value="auth_monitor", Type="SecureString")
        running.client("redshift").create_cluster(
            ClusterIdentifier="checked", NodeType="ra3.large", MasterUsername="root", MasterUserPassword="Passw0rd"
        )
        yield running


@pytest.fixture
def checks(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Checks:
    """Check the local Redshift, signed in as ``user``, with some fields of the connection and some settings changed."""

    def checks(user: str = "auth_monitor", fields: dict[str, Any] | None = None, **settings: Any) -> dict[str, Check]:
        connection = {
            "conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": user, "password": user,
            "schema": "dev", "extra": {"ssl": False},
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(connection | (fields or {})))
        run = make_run(check_only=True, **settings)
        open_hook = partial(choose_hook, queries=[], **run.settings.sign_in)
        return {check.name: check for check in check_sources(run, datetime.now(UTC), ROOT / "include", open_hook)}

    return checks


@pytest.fixture
def reader(warehouse: Warehouse, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Add a user for which the log is what a query gives."""

    def reader(log: str) -> str:
        user = f"reader_{request.node.callspec.id}"
        warehouse.add_reader(user, log)
        return user

    return reader


def test_all_is_ok_but_that_the_sandbox_is_no_redshift_and_has_no_lockout(checks: Checks) -> None:
    outcomes = {name: check.outcome for name, check in checks().items()}
    assert outcomes == dict.fromkeys(NAMES, "ok") | {"warehouse": "not ok", "lockout": "not checked"}


def test_where_no_user_is_ever_locked_no_limit_is_compared(checks: Checks) -> None:
    assert [*checks(lockout_after=None)] == [name for name in NAMES if name != "lockout"]


def test_its_session_is_closed(checks: Checks, warehouse: Warehouse) -> None:
    checks()
    left = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'auth_monitor'"
    with warehouse.admin() as admin:
        deadline = time.monotonic() + 10  # the server ends a session a moment after its client
        while admin.execute(left).fetchone() != (0,) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert admin.execute(left).fetchone() == (0,)


@pytest.mark.parametrize("source", ["stl_connection_log", "sys_connection_log"])
def test_it_says_what_the_log_shows(checks: Checks, warehouse: Warehouse, source: str) -> None:
    warehouse.login("127.0.0.71", "somebody", "wrong")
    found = checks(source=source)
    assert found["log"].says.startswith(f"{source.upper()} shows ")
    assert "authentication failure (" in found["events"].says


@pytest.mark.parametrize(
    ("fields", "name", "says"),
    [
        ({"conn_type": "athena"}, "connection", "is of type 'athena'; valid for the run's source: redshift, postgres"),
        ({"extra": "{"}, "connection", "its extra is not a JSON object"),
        ({"password": "wrong"}, "sign-in", "the warehouse refused the sign-in"),
        ({"port": free_port()}, "sign-in", "the warehouse could not be reached"),
        ({"schema": "nowhere"}, "sign-in", "the database does not exist"),
        ({"login": "analyst", "password": "analyst"}, "log", "the user may not read the log"),
    ],
)
def test_what_is_not_ok_says_what_to_do(checks: Checks, fields: dict[str, Any], name: str, says: str) -> None:
    check = checks(fields=fields)[name]
    assert (check.outcome, says in check.says) == ("not ok", True)


def test_what_needs_a_check_that_is_not_ok_is_not_checked(checks: Checks) -> None:
    found = checks(fields={"password": "wrong"})
    assert {check.says for check in [*found.values()][3:]} == {"needs the sign-in"}


def test_a_parameter_that_cannot_be_read_is_named(
    checks: Checks, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_aws(monkeypatch, cloud.endpoint)
    check = checks(user_parameter="/check/user", password_parameter="/check/nothing")["credentials"]
    assert (check.outcome, "password_parameter '/check/nothing' cannot be read" in check.says) == ("not ok", True)


def test_it_says_that_it_signs_in_by_parameters(checks: Checks, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    use_aws(monkeypatch, cloud.endpoint)
    check = checks("nobody", user_parameter="/check/user", password_parameter="/check/password")["credentials"]
    assert check == Check("credentials", "ok", "SSM parameters /check/user and /check/password, user auth_monitor")


@pytest.mark.parametrize(
    ("cluster", "says"),
    [("checked", ("ok", "IAM, user IAM:auth_monitor")), ("nothing", ("not ok", "there is no such cluster"))],
)
def test_it_says_whether_iam_gives_credentials(
    checks: Checks, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, cluster: str, says: tuple[str, str]
) -> None:
    use_aws(monkeypatch, cloud.endpoint)
    extra = {"ssl": False, "iam": True, "cluster_identifier": cluster}
    check = checks(fields={"extra": extra, "password": None})["credentials"]
    outcome, words = says
    assert (check.outcome, words in check.says) == (outcome, True)


@pytest.mark.parametrize(
    ("log", "name", "says"),
    [
        pytest.param(f"{LOG} WHERE false", "log", "shows no event at all; give the monitor's user", id="empty"),
        pytest.param(f"{LOG} WHERE username = session_user", "rights", "only the monitor's own logins", id="own"),
        pytest.param(
            changed("event", "replace(event, 'initiating session', 'login failed')"),
            "events", "): not known to the package", id="event",
        ),
        pytest.param(
            changed("remotehost", "(1 / (length(event) * 0))::text"), "statement", "division by zero", id="statement"
        ),
        pytest.param(
            changed("remotehost", "(1 / 0)::text"), "plan", "division by zero", id="plan"
        ),
    ],
)  # fmt: skip
def test_a_log_that_does_not_do_is_not_ok(
    checks: Checks, reader: Callable[[str], str], log: str, name: str, says: str
) -> None:
    found = checks(reader(log))
    first = next(check for check in found.values() if check.outcome == "not ok" and check.name != "warehouse")
    assert (first.name, says in first.says) == (name, True)


def test_a_quiet_log_that_does_not_show_this_sign_in_yet_is_to_be_checked_again(
    checks: Checks, warehouse: Warehouse
) -> None:
    warehouse.add_reader("reader_quiet", f"{LOG} WHERE recordtime < now() - INTERVAL '2 hours'")
    check = checks("reader_quiet")["delay"]
    assert (check.outcome, "check again later" in check.says) == ("not checked", True)


def test_checks_that_take_too_long_leave_the_rest_unchecked(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redshift_auth_alert.tasks.source_check.ALL_SECONDS", -1)
    assert {check.outcome for check in checks().values()} == {"not checked"}


def test_a_statement_that_takes_too_long_is_cancelled(
    checks: Checks, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.add_reader("reader_slow", changed("event", "CASE WHEN pg_sleep(9) IS NULL THEN '' ELSE event END"))
    monkeypatch.setattr("redshift_auth_alert.tasks.source_check.EACH_SECONDS", 1)
    check = checks("reader_slow")["log"]
    assert (check.outcome, "as it took too long" in check.says) == ("not ok", True)


def test_a_name_that_the_driver_cannot_read_is_not_ok(warehouse: Warehouse, checks: Checks) -> None:
    with warehouse.admin("postgres") as admin:
        admin.execute("CREATE DATABASE odd_names")
    with warehouse.admin("odd_names") as admin:
        admin.execute(
            r"""
            CREATE CAST (bytea AS text) WITHOUT FUNCTION;  -- else the server refuses such text
            CREATE TABLE stl_connection_log AS
            SELECT 'authentication failure' AS event, now()::timestamp AS recordtime, '' AS remotehost, 1 AS pid,
                '' AS dbname, CAST(unnest(ARRAY['a', '\xff']::bytea[]) AS text) AS username, '' AS authmethod,
                '' AS sslversion, '' AS application_name, '' AS os_version, '' AS driver_version;
            GRANT SELECT ON stl_connection_log TO auth_monitor;
            """
        )
    fields = {"schema": "odd_names", "conn_type": "postgres", "port": warehouse.postgres_port, "extra": {}}
    check = checks(fields=fields)["names"]
    assert (check.outcome, "make it one of type redshift" in check.says) == ("not ok", True)
    assert "1 of them hold bytes that are no text" in checks(fields={"schema": "odd_names"})["names"].says


class Answering:
    """Stands in for the session with a Redshift, which cannot run here: it has one answer."""

    def __init__(self, column: str, value: str | Exception) -> None:
        self.description, self._value = [(column,)], value

    @contextmanager
    def cursor(self) -> Iterator[Answering]:
        yield self

    def execute(self, _sql: str) -> None:
        if isinstance(self._value, Exception):
            raise self._value

    def fetchall(self) -> list[list[Any]]:
        return [[self._value]]


def look(name: str, session: Answering, host: str = "127.0.0.1") -> Check:
    run = make_run()
    check = SourceCheck(run, "redshift_default", datetime.now(UTC), ROOT / "include", open_hook=lambda _: None)
    check._session = session
    return Check(name, *check._look(check._looks()[name]))


@pytest.mark.parametrize(
    ("limit", "outcome", "says"),
    [("5", "ok", "after 5 failures in a row"), ("10", "not ok", "set lockout_after: 10")],
)
def test_the_warehouses_lockout_limit_is_compared(limit: str, outcome: str, says: str) -> None:
    check = look("lockout", Answering("max_failed_login_attempts", limit))
    assert (check.outcome, says in check.says) == (outcome, True)


@pytest.mark.parametrize(
    ("sqlstate", "outcome", "says"),
    [
        ("42501", "not checked", "the monitor's user may not see the limit"),
        ("42704", "not checked", "the monitor's user may not see the limit"),
        ("57P01", "not ok", "the warehouse is shutting down or restarting"),
        ("XX000", "not ok", "the warehouse could not complete the statement"),
    ],
)
def test_only_a_limit_that_the_user_may_not_see_is_not_checked(sqlstate: str, outcome: str, says: str) -> None:
    error = redshift_connector.ProgrammingError({"C": sqlstate, "M": "failed"})
    check = look("lockout", Answering("max_failed_login_attempts", error))
    assert (check.outcome, says in check.says) == (outcome, True)


@pytest.mark.parametrize("error", [redshift_connector.InterfaceError("connection is closed"), AttributeError("close")])
def test_only_the_drivers_errors_are_passed_over_where_the_session_is_closed(error: Exception) -> None:
    check = SourceCheck(make_run(), "redshift_default", datetime.now(UTC), ROOT / "include", open_hook=lambda _: None)
    check._session = Mock(**{"close.side_effect": error})
    ours = isinstance(error, AttributeError)
    with pytest.raises(AttributeError) if ours else nullcontext():
        check._close()


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("wg.123456789012.eu-central-1.redshift-serverless.amazonaws.com", "Serverless workgroup, Redshift 1.0.77467"),
        ("dwh.abc123.eu-central-1.redshift.amazonaws.com", "provisioned cluster, Redshift 1.0.77467"),
        ("10.0.0.7", "provisioned cluster, as far as its host name tells, Redshift 1.0.77467"),
    ],
)
def test_the_kind_of_warehouse_and_its_version_are_named(monkeypatch: pytest.MonkeyPatch, host: str, says: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps({"conn_type": "redshift", "host": host}))
    version = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.77467"
    assert look("warehouse", Answering("version", version)) == Check("warehouse", "ok", says)


def use_aws(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    aws = {"conn_type": "aws", "login": "sandbox", "password": "sandbox"}
    extra = {"region_name": REGION, "endpoint_url": endpoint}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws | {"extra": extra}))


def test_metrics_are_ok_where_cloudwatch_takes_one(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    use_aws(monkeypatch, cloud.endpoint)
    (check,) = check_metrics(make_run(metrics_namespace="Checked"))
    written = cloud.client("cloudwatch").list_metrics(Namespace="Checked")["Metrics"]
    assert (check.outcome, [metric["MetricName"] for metric in written]) == ("ok", ["SetUpChecked"])


def test_metrics_are_not_ok_where_cloudwatch_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    use_aws(monkeypatch, f"http://127.0.0.1:{free_port()}")
    (check,) = check_metrics(make_run(metrics_namespace="Checked"))
    assert (check.outcome, "the role needs cloudwatch:PutMetricData" in check.says) == ("not ok", True)


def test_a_dry_run_writes_no_metric() -> None:
    (check,) = check_metrics(make_run(metrics_namespace="Checked", dry_run=True))
    assert check.outcome == "not checked"


def test_the_shell_prints_the_table_and_fails_where_something_is_not_ok(
    checks: Checks, capsys: pytest.CaptureFixture[str]
) -> None:
    checks()  # defines the connection
    assert main(["--include", str(ROOT / "include")]) == 1
    assert "\nwarehouse     NOT OK       this is not Redshift: PostgreSQL" in capsys.readouterr().out


def test_the_shell_names_a_monitor_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--include", str(ROOT / "include"), "--monitor", "nothing"]) == 1
    assert "no monitor nothing" in capsys.readouterr().err


def test_the_last_window_that_has_settled_is_measured(checks: Checks) -> None:
    end = datetime.now(UTC) - timedelta(minutes=5)
    assert f"to {end:%Y-%m-%d %H:%M}" in checks()["statement"].says
