"""The tab of a DAG in Chromium: which intervals were attacked, failed, or nobody saw, and who came back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

pytest.importorskip("playwright", reason="not among the packages of an image")
from playwright.sync_api import expect

from redshift_auth_alert.detection.findings import Coverage, Verdict
from sandbox.mwaa import DAG_ID
from tests.message.findings import GOT_IN, make_breach, make_verdict
from tests.page.browser import Open, Window, text
from tests.page.recorded import Recorded, dag_run, recorded_run

HALF_HOUR = timedelta(minutes=30)
# The end of the last interval. Its day has begun an hour ago, or more.
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
LAST = NOW - HALF_HOUR
AGAIN = make_breach(group={"remote_host": "203.0.113.9"})
UNSEEN = Coverage("stl_connection_log", "unseen", "no event at all")
PARTIAL = Coverage("stl_connection_log", "partial", "up to noon")
DAG, RUNS, TASK = f"dags/{DAG_ID}", f"dags/{DAG_ID}/dagRuns", f"dags/{DAG_ID}/tasks/check_threshold"


def recorded(
    *verdicts: Verdict | None,
    states: dict[int, str] | None = None,
    skip: tuple[int, ...] = (),
    due: datetime = NOW + HALF_HOUR,
) -> dict[str, Any]:
    """Answers about the last intervals, the newest first, but those in ``skip``; the next run is ``due``."""
    answers: dict[str, Any] = {}
    runs = []
    for number, verdict in enumerate(verdicts):
        if number in skip:
            continue
        start, run_id = LAST - number * HALF_HOUR, f"scheduled__{number}+00:00"
        state = (states or {}).get(number, "success")
        answers |= recorded_run(verdict, run_id, start=start, end=start + HALF_HOUR, state=state)
        runs.append(answers[f"{RUNS}/{run_id}"])
    monitor = {"dag_id": DAG_ID, "next_dagrun_run_after": due.isoformat()}
    return answers | {DAG: monitor, TASK: {"task_id": "check_threshold"}, RUNS: runs}


QUIET = make_verdict()


@pytest.mark.parametrize(
    ("verdict", "state", "kind", "sign"),
    [
        (make_verdict(AGAIN), "success", "breach", "▲"),
        (make_verdict(GOT_IN), "success", "breach", "!"),
        (make_verdict(replace(AGAIN, outcome="held_back")), "success", "breach", "▲"),
        (make_verdict(replace(AGAIN, outcome="ignored")), "success", "quiet", ""),
        (make_verdict(coverage=UNSEEN), "failed", "unseen", "◇"),
        (make_verdict(coverage=PARTIAL), "success", "partial", "◐"),
        (QUIET, "success", "quiet", ""),
        (make_verdict(AGAIN), "failed", "breach", "▲"),
        (QUIET, "failed", "failed", "✕"),
        (None, "failed", "failed", "✕"),
        (None, "running", "running", "…"),
        (None, "success", "gone", "?"),
    ],
    ids=[
        "breach",
        "got in",
        "held back",
        "ignored",
        "unseen",
        "partial",
        "quiet",
        "not published",
        "quiet, and failed",
        "failed",
        "running",
        "gone",
    ],
)
def test_each_kind_of_interval_has_a_sign_of_its_own(
    open_tab: Open, verdict: Verdict, state: str, kind: str, sign: str
) -> None:
    frame = open_tab(recorded(verdict, states={0: state}), None)
    cell = frame.locator(f"a.cell.{kind}")
    expect(cell).to_have_text(sign)


def test_an_interval_says_when_it_was_and_what_was_found(open_tab: Open) -> None:
    frame = open_tab(recorded(make_verdict(GOT_IN)), None)
    label = (
        f"{LAST:%Y-%m-%d %H:%M:%S} to {NOW:%Y-%m-%d %H:%M:%S} UTC: breach, 12 failures, 1 at the threshold, 1 GOT IN"
    )
    expect(frame.locator("a.cell.breach")).to_have_attribute("aria-label", label)


@pytest.mark.parametrize(("failures", "shade"), [(0, 0), (1, 1), (10, 2), (100, 3), (1_000, 4), (1_000_000, 4)])
def test_the_more_failures_the_darker(open_tab: Open, failures: int, shade: int) -> None:
    frame = open_tab(recorded(replace(QUIET, failures=failures)), None)
    expect(frame.locator(f"a.cell.shade{shade}")).to_have_count(1)


def test_an_interval_without_a_run_is_a_gap(open_tab: Open) -> None:
    frame = open_tab(recorded(QUIET, QUIET, QUIET, QUIET, skip=(1, 2)), None)
    start, end = LAST - 2 * HALF_HOUR, LAST
    title = f"no run for {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"
    expect(frame.locator("section .cell.gap")).to_have_attribute("title", title)


def test_a_monitor_that_no_longer_runs_ends_in_a_gap(open_tab: Open) -> None:
    frame = open_tab(recorded(*[QUIET] * 9, skip=(0, 1, 2, 3, 4), due=NOW - 4 * HALF_HOUR), None)
    expect(frame.locator("section .cell.gap")).to_have_count(1)


def test_a_pause_that_the_schedule_plans_is_no_gap(open_tab: Open) -> None:
    frame = open_tab(recorded(*[QUIET] * 9, skip=(0, 1, 2, 3, 4)), None)
    text_at_the_end(frame)
    expect(frame.locator("section .cell.gap")).to_have_count(0)


def test_a_gap_is_in_the_table_too(open_tab: Open) -> None:
    frame = open_tab(recorded(QUIET, QUIET, QUIET, skip=(1,)), None)
    frame.locator("summary").first.click()
    expect(frame.locator("section").first.locator("tbody tr").last).to_contain_text("no run for ")


def test_intervals_stand_in_order_with_the_newest_day_first(open_tab: Open) -> None:
    frame = open_tab(recorded(*[QUIET] * 100), None)
    first, last = LAST, LAST - 99 * HALF_HOUR
    expect(frame.locator("section").first.locator("h2").first).to_have_text(f"{first:%Y-%m-%d} UTC")
    expect(frame.locator("section").first.locator("h2").last).to_have_text(f"{last:%Y-%m-%d} UTC")
    expect(frame.locator("section p").first.locator("a").last).to_have_attribute("title", starting(first))


def starting(moment: datetime) -> Any:
    return re.compile(f"^{moment:%Y-%m-%d %H:%M:%S} to ")


def test_manual_runs_stand_by_themselves(open_tab: Open) -> None:
    answers = recorded(QUIET, QUIET)
    answers[RUNS].append(dag_run("manual__1", LAST, NOW, state="success", run_type="manual"))
    frame = open_tab(answers, None)
    expect(frame.locator("section").first.locator("h2").last).to_have_text("Manual runs")
    expect(frame.locator("section").first.locator("p").last.locator("a")).to_have_count(1)


def test_a_failed_run_that_found_a_breach_says_both(open_tab: Open) -> None:
    frame = open_tab(recorded(make_verdict(AGAIN), states={0: "failed"}), None)
    expect(frame.locator("a.cell.breach")).to_have_attribute(
        "title", re.compile(", 1 at the threshold, the run failed$")
    )


def test_a_check_of_the_set_up_has_a_sign_of_its_own(open_tab: Open) -> None:
    answers = recorded(None)
    answers[RUNS][0]["conf"] = {"check_only": True}
    expect(open_tab(answers, None).locator("a.cell.check")).to_have_text("·")


@pytest.mark.parametrize("outcome", ["over", "ignored"])
def test_who_did_not_attack_did_not_come_back(open_tab: Open, outcome: str) -> None:
    frame = open_tab(recorded(make_verdict(replace(AGAIN, outcome=outcome))), None)
    assert "Who came back most" not in text_at_the_end(frame)


def test_a_manual_run_over_the_same_interval_counts_nobody_twice(open_tab: Open) -> None:
    answers = recorded(make_verdict(AGAIN), make_verdict(AGAIN))
    answers[RUNS][0]["run_type"] = "manual"
    rows = open_tab(answers, None).locator("section").last.locator("tbody tr")
    expect(rows).to_have_text(["203.0.113.9114no"])


def test_who_came_back_most_is_named_first(open_tab: Open) -> None:
    frame = open_tab(recorded(make_verdict(AGAIN), make_verdict(GOT_IN, AGAIN), QUIET), None)
    rows = frame.locator("section").last.locator("tbody tr")
    expect(rows).to_have_text(["203.0.113.9228no", "203.0.113.7114GOT IN"])


def text_at_the_end(frame: Any) -> str:
    expect(frame.locator("#status")).to_have_text(re.compile(r"^[\d,]+ runs?\.$"))
    return text(frame)


def test_a_click_leads_to_the_run_in_airflow(open_tab: Open, windows: list[Window]) -> None:
    frame = open_tab(recorded(make_verdict(GOT_IN)), None)
    frame.locator("a.cell.breach").click()
    windows[0].page.wait_for_url("**/base/path/dags/*/runs/**")
    assert unquote(windows[0].page.url).endswith(f"/dags/{DAG_ID}/runs/scheduled__0+00:00/plugin/sign-ins")


def test_the_arrow_keys_move_between_intervals(open_tab: Open, windows: list[Window]) -> None:
    frame = open_tab(recorded(*[QUIET] * 3), None)
    text_at_the_end(frame)
    cells = frame.locator("section a.cell")
    cells.first.focus()
    windows[0].page.keyboard.press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    windows[0].page.keyboard.press("ArrowLeft")
    expect(cells.first).to_be_focused()


def test_enter_opens_the_run(open_tab: Open, windows: list[Window]) -> None:
    frame = open_tab(recorded(QUIET), None)
    text_at_the_end(frame)
    frame.locator("section a.cell").focus()
    windows[0].page.keyboard.press("Enter")
    windows[0].page.wait_for_url("**/runs/**/plugin/sign-ins")


def test_the_intervals_are_a_table_too(open_tab: Open) -> None:
    frame = open_tab(recorded(make_verdict(GOT_IN), QUIET), None)
    frame.locator("summary").first.click()
    expect(frame.locator("section").first.locator("tbody tr")).to_have_count(2)


def test_the_newest_runs_are_read_first_and_a_few_at_once(open_tab: Open, airflow: Recorded) -> None:
    airflow.most_at_once = 0
    text_at_the_end(open_tab(recorded(*[QUIET] * 130), None))
    summaries = [path for path in airflow.asked if "/summary" in path]
    assert len(summaries) == 130
    assert {run_of(path) for path in summaries[:4]} == set(range(4))
    assert airflow.most_at_once == 4


def run_of(path: str) -> int:
    return int(path.split("scheduled__")[1].split("+", maxsplit=1)[0])


def test_it_says_how_far_it_is(open_tab: Open, airflow: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow, "held", "scheduled__129+")
    frame = open_tab(recorded(*[QUIET] * 130), None)
    expect(frame.locator("#status")).to_have_text("Read 100 of 130 runs.")
    airflow.held = ""
    text_at_the_end(frame)


@pytest.mark.parametrize(("choice", "days"), [("week", 7), ("month", 31)])
def test_a_week_or_a_month_is_asked_for(open_tab: Open, airflow: Recorded, choice: str, days: int) -> None:
    frame = open_tab(recorded(QUIET), None)
    text_at_the_end(frame)
    airflow.asked.clear()
    frame.get_by_role("link", name=choice).click()
    expect(frame.get_by_role("link", name=choice)).to_have_attribute("aria-current", "true")
    text_at_the_end(frame)
    (asked,) = [path for path in airflow.asked if "run_after_gte" in path]
    since = datetime.fromisoformat(asked.split("run_after_gte=")[1])
    assert timedelta(days) <= datetime.now(UTC) - since < timedelta(days, minutes=5)


def test_a_dag_without_runs_says_so(open_tab: Open) -> None:
    assert "No run in the last 7 days. Unpause the DAG, or trigger a run." in text(open_tab(recorded(), None))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "Sign in, then reload this page."),
        (403, "Ask an administrator for the right to read this DAG's runs and XCom."),
        (404, "Airflow has no such DAG, or it does not let you see it."),
    ],
)
def test_an_answer_that_is_an_error_says_what_to_do(open_tab: Open, status: int, says: str) -> None:
    assert says in text(open_tab({DAG: status, TASK: status}, None))


def test_an_error_while_runs_are_read_is_not_written_over(open_tab: Open) -> None:
    answers = recorded(*[QUIET] * 130)
    answers[f"{RUNS}/scheduled__50+00:00/taskInstances/check_threshold/xcomEntries/summary"] = 500
    frame = open_tab(answers, None)
    expect(frame.locator("#status")).to_have_text("Airflow answered with error 500. Reload this page later.")


def test_a_dag_of_somebody_else_says_that_it_has_nothing_to_show(open_tab: Open) -> None:
    answers = recorded(None)
    del answers[TASK]
    assert "This DAG does not watch sign-ins, so it has nothing to show here." in text(open_tab(answers, None))


def test_a_run_of_another_major_version_has_no_data_and_stops_no_other(open_tab: Open) -> None:
    answers = recorded(QUIET, make_verdict(AGAIN))
    answers[f"{RUNS}/scheduled__0+00:00/taskInstances/check_threshold/xcomEntries/summary"]["value"]["version"] = "3.0"
    frame = open_tab(answers, None)
    expect(frame.locator("section a.cell.gone")).to_have_count(1)
    expect(frame.locator("section a.cell.breach")).to_have_count(1)


@pytest.mark.parametrize("width", [400, 1600])
def test_it_fits_a_narrow_and_a_wide_window(open_tab: Open, width: int) -> None:
    frame = open_tab(recorded(make_verdict(GOT_IN), *[QUIET] * 99), None, width=width)
    text_at_the_end(frame)
    assert frame.locator("html").evaluate("(html) => html.scrollWidth - html.clientWidth") == 0
