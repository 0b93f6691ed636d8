"""What Airflow's record says of the run of the interval before."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.exceptions import AirflowException

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import SKIPPED_MARK, IntervalError
from redshift_auth_alert.message.setup import Check
from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks.record import keep_reported, take_missing
from redshift_auth_alert.tasks.run import Run
from redshift_auth_alert.tasks.versions import AirflowFailException, AirflowSkipException
from tests.conftest import NOON, ROOT, TOPIC, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, Events, failures, sign_ins
from tests.tasks.conftest import OutletEvents, Variables

START, END = NOON + 30 * MINUTE, NOON + 60 * MINUTE  # holds no multiple of 240 minutes
DAY = timedelta(days=1)
REMINDED = {"remind_every_minutes": 240}
GATEWAY = {"remote_host": "192.0.2.0/24", "reason": "BI gateway"}


def recorded(until: datetime = START, **settings: Any) -> str:
    """What a run that evaluated up to then by these settings has recorded."""
    run = make_run(start=until - 30 * MINUTE, end=until, **REMINDED | settings)
    return f"{until.isoformat()} {run.judged_by} {run.interval.start.isoformat()}"


def context(*, state: str = "success", evaluated: Any = None, topic: str = TOPIC, **ti: Any) -> dict[str, Any]:
    """The context of a scheduled run; the run at the date before it has recorded this, and is in that state."""
    dates = {START - 30 * MINUTE: {"before": {"check_threshold": "success"}}}
    pulled = {("check_threshold", "evaluated", "before"): recorded() if evaluated is None else evaluated}
    instance = SimpleNamespace(
        dag_id="redshift_auth_failure_alert",
        get_task_states=lambda dag_id, task_ids, logical_dates: dates.get(logical_dates[0], {}),
        get_dagrun_state=lambda dag_id, run_id: state,
        xcom_pull=lambda task_ids, key, run_id: pulled.get((task_ids, key, run_id)),
        xcom_push=lambda **_: None,
        **{"try_number": 4, "max_tries": 3} | ti,
    )
    dag_run = SimpleNamespace(
        run_id="scheduled__1", run_type="scheduled", logical_date=START, data_interval_start=START,
        data_interval_end=END, run_after=END, start_date=END, conf={},
    )  # fmt: skip
    return {"ti": instance, "dag_run": dag_run, "task": SimpleNamespace(render_template=lambda *_: topic)}


@pytest.fixture
def branch(logs: psycopg.Connection) -> Any:
    """The branch of a run in which a breach is ongoing and no reminder is due."""
    from redshift_auth_alert.tasks.operators import _plain

    def run_of(**settings: Any) -> Run:
        in_force = make_run(**settings).settings
        monitor = Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=in_force)
        return Run(monitor, ROOT / "include")

    def branch(
        context: dict[str, Any],
        *,
        checks_in: dict[str, Any] | None = None,
        changed_before_the_check: dict[str, Any] | None = None,
        **changed: Any,
    ) -> str:
        run = run_of(**REMINDED | changed)
        check = run_of(**REMINDED | changed | (changed_before_the_check or {}))
        rows = measure(logs, run.evaluation(context), failures(*range(15, 45)) + HEARTBEAT)
        table = {"columns": list(rows[0]), "rows": [[_plain(value) for value in row.values()] for row in rows]}
        return check.check_threshold(run.candidates(table, context), **checks_in or context)

    return branch


def test_an_ongoing_breach_is_held_back_if_the_run_before_reported_it(branch: Any) -> None:
    assert branch(context()) == "no_alert"


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"state": "failed"}, id="failed"),
        pytest.param({"state": "running"}, id="has not ended yet"),
        pytest.param({"evaluated": ""}, id="succeeded without reporting, as a dry run or an unseen interval does"),
        pytest.param({"evaluated": recorded(START - MINUTE)}, id="evaluated another interval than the one before"),
        pytest.param({"evaluated": recorded(threshold=20)}, id="had a higher threshold"),
        pytest.param({"evaluated": recorded(ignore=[GATEWAY])}, id="ignored the host"),
        pytest.param({"evaluated": recorded(sns_topic_arn=f"{TOPIC}-old")}, id="reported to another topic"),
        pytest.param({"topic": f"{TOPIC}-new"}, id="reported to another topic, which a Variable holds"),
        pytest.param({"evaluated": START.isoformat()}, id="was of version 2.2, which recorded no settings"),
    ],
)
def test_an_ongoing_breach_is_reported_if_the_run_before(branch: Any, before: dict[str, Any]) -> None:
    assert branch(context(**before)) == "publish_alert"


def test_an_ignored_host_is_reported_once_its_entry_has_expired(branch: Any) -> None:
    expired = [GATEWAY | {"until": "2026-02-28"}]
    in_force = make_run(start=START - DAY, end=END - DAY, **REMINDED, ignore=expired)
    evaluated = f"{START.isoformat()} {in_force.judged_by} {NOON.isoformat()}"
    assert branch(context(evaluated=evaluated), ignore=expired) == "publish_alert"


def test_an_entry_that_had_expired_before_both_runs_changes_nothing(branch: Any) -> None:
    expired = [GATEWAY | {"until": "2026-01-31"}]
    assert branch(context(), ignore=expired) == "no_alert"


def test_a_run_by_hand_over_the_interval_goes_by_the_same_settings(branch: Any) -> None:
    by_hand = context()
    by_hand["dag_run"].run_type = "manual"
    by_hand["dag_run"].conf = {"start": START.isoformat(), "end": END.isoformat()}
    assert branch(by_hand) == "no_alert"


@pytest.mark.parametrize(("state", "goes_to"), [("running", "publish_alert"), ("success", "no_alert")])
def test_the_check_goes_by_what_the_query_learned_of_the_run_before(branch: Any, state: str, goes_to: str) -> None:
    later = context()
    del later["ti"].get_task_states, later["ti"].get_dagrun_state
    assert branch(context(state=state), checks_in=later) == goes_to


@pytest.mark.parametrize(
    "changed",
    [{"threshold": 5}, {"group_by": ["user_name"]}, {"count": "distinct user_name"}, {"window_minutes": 60}],
    ids=str,
)
def test_what_was_measured_by_other_settings_is_not_judged(branch: Any, changed: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="clear query_auth_failures and the tasks after it"):
        branch(context(), changed_before_the_check=changed)


def test_an_entry_of_the_ignore_list_that_came_meanwhile_holds(branch: Any) -> None:
    assert branch(context(state="failed"), changed_before_the_check={"ignore": [GATEWAY]}) == "no_alert"


def test_a_dry_run_holds_nothing_back_and_needs_no_topic(branch: Any, caplog: pytest.LogCaptureFixture) -> None:
    dry = context()
    del dry["task"]
    assert branch(dry, dry_run=True) == "no_alert"
    assert "ongoing: reported" in caplog.text


def test_an_ongoing_breach_is_reported_if_there_is_no_run_before(branch: Any) -> None:
    first = context()
    first["ti"].get_task_states = lambda **_: {}
    assert branch(first) == "publish_alert"


def test_a_backfill_is_no_check_of_the_set_up() -> None:
    backfill = context()
    backfill["dag_run"].run_type, backfill["dag_run"].conf = "backfill", {"check_only": True}
    monitor = Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=make_run().settings)

    with pytest.raises(IntervalError, match="check_only is for manual runs"):
        Run(monitor, ROOT / "include").evaluation(backfill)


def test_a_check_of_the_set_up_looks_at_both_logs_of_source_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    from redshift_auth_alert.tasks import check_warehouse

    def look(run: Evaluation, conn_id: str, *_: Any) -> Any:
        return SimpleNamespace(checks=lambda: [Check(run.settings.source, "ok", conn_id)])

    monkeypatch.setattr(check_warehouse, "SourceCheck", look)
    settings = make_run(source="auto", athena_conn_id="athena", conn_id="warehouse").settings
    monitor = Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=settings)
    by_hand = context()
    by_hand["dag_run"].run_type, by_hand["dag_run"].conf = "manual", {"check_only": True}
    checks = Run(monitor, ROOT / "include").check_setup(by_hand, lambda _: None)
    looked_at = [(check["name"], check["says"]) for check in checks or []]
    assert looked_at == [("stl_connection_log", "warehouse"), ("audit_log_s3", "athena")]


@pytest.fixture
def query(logs: psycopg.Connection) -> Any:
    """What the query task of a run returns on a log with these events."""
    from redshift_auth_alert.tasks.operators import _plain

    def query(context: dict[str, Any], log: Events) -> Any:
        monitor = Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=make_run().settings)
        run = Run(monitor, ROOT / "include")
        rows = measure(logs, run.evaluation(context), log)
        table = {"columns": list(rows[0]), "rows": [[_plain(value) for value in row.values()] for row in rows]}
        return run.candidates(table, context)

    return query


BEHIND = sign_ins(-10_000, 57, host="[local]", user="rdsdb")  # three minutes before the interval's end


@pytest.mark.parametrize("try_number", [1, 3])
def test_a_log_that_is_behind_is_queried_again(query: Any, try_number: int) -> None:
    with pytest.raises(AirflowException, match=r"events up to 2026-03-01 12:57:00 UTC only.*The task is retried"):
        query(context(try_number=try_number, max_tries=3), BEHIND)


def test_a_log_that_is_still_behind_in_the_last_try_is_evaluated_as_far_as_it_goes(query: Any) -> None:
    assert query(context(try_number=4, max_tries=3), BEHIND)["log"]["newest_event_at"] == "2026-03-01T12:57:00"


def test_a_log_that_has_caught_up_is_evaluated_in_the_first_try(query: Any) -> None:
    assert query(context(try_number=1, max_tries=3), HEARTBEAT)["rows"] == []


@pytest.mark.parametrize("log", [[], sign_ins(-10_000, user="auth_monitor")], ids=["no event", "own sign-ins"])
def test_a_log_that_no_retry_can_make_visible_is_not_queried_again(query: Any, log: Events) -> None:
    assert query(context(try_number=1, max_tries=3), log)["rows"] == []


def test_what_is_skipped_is_refused_with_the_setting_that_bounds_the_catch_up() -> None:

    skipped = context()
    skipped["dag_run"].data_interval_start = START + SKIPPED_MARK
    monitor = Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=make_run().settings)
    run = Run(monitor, ROOT / "include")
    with pytest.raises(IntervalError, match=r"max_catchup_hours \(24\)"):
        run.evaluation(skipped)


def run_of(**settings: Any) -> Run:
    in_force = make_run(**settings).settings
    monitor = Monitor(dag_id="redshift_auth_failure_alert", file=Path("default.yaml"), settings=in_force)
    return Run(monitor, ROOT / "include")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the metrics that are written."""
    from redshift_auth_alert.tasks import metrics

    written: list[str] = []
    monkeypatch.setattr(metrics, "_write", lambda _settings, _monitor, _type, values, **_: written.extend(values))
    return written


def published(run: Any, **pushed: Any) -> dict[str, Any]:
    """The context of ``publish_alert`` once the topic has taken the message."""
    context_ = context(run_id="scheduled__1")
    pushed = {"document": {"kind": "alert"}, "metrics": {"Failures": 1}} | pushed
    context_["ti"].xcom_pull = lambda task_ids, key: pushed.get(key)
    return context_ | {"outlet_events": OutletEvents([(run.breaches, SimpleNamespace(extra=None))])}


def test_an_alert_that_is_published_later_than_its_log_is_kept_counts_as_evaluated(written: list[str]) -> None:
    run = run_of(source="auto")
    cleared = published(run)
    cleared["dag_run"].start_date = END + 7 * DAY
    run.after_publishing(cleared, None)
    assert written == ["IntervalsEvaluated", "Failures"]


def test_what_is_published_is_not_published_again_because_its_settings_have_become_invalid(
    written: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of()
    changed = published(run)
    changed["dag_run"].conf = {"threshold": 0}
    run.after_publishing(changed, None)
    assert written == []
    assert "The message is published" in caplog.text


def test_what_is_published_is_not_published_again_because_airflow_does_not_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = run_of()
    unanswered = published(run)
    del unanswered["ti"].xcom_pull
    run.after_publishing(unanswered, None)
    assert "The message is published" in caplog.text


def test_the_failures_that_are_reported_are_forgotten_once_that_is_published(variables: Variables) -> None:
    run, before = run_of(), make_run(start=START - 30 * MINUTE, end=START)
    keep_reported(before, "cause")
    take_missing(make_run(start=START, end=END))
    run.after_publishing(published(run, metrics=None), None)
    assert variables == {}


def test_a_test_is_no_event_of_the_asset() -> None:
    run = run_of()
    tested = published(run)
    tested["dag_run"].conf = {"check_only": True}
    with pytest.raises(AirflowSkipException):
        run.after_publishing(tested, None)


@pytest.mark.parametrize(
    "conf", [{}, {"threshold": 0}, {"start": "2026-03-01T12:00:00Z"}], ids=["no source", "override", "interval"]
)
def test_a_check_that_no_retry_can_make_valid_fails_at_once_with_its_reason(conf: dict[str, Any]) -> None:
    late, pushed = context(), {}
    late["dag_run"].start_date, late["dag_run"].conf = END + 7 * DAY, conf
    late["ti"].xcom_push = lambda key, value: pushed.update({key: value})
    with pytest.raises(AirflowFailException) as error:
        run_of(source="auto").check_threshold({}, **late)
    assert pushed == {"reason": str(error.value)}
