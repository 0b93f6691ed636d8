"""The tab of a run in Chromium, on what the package pushes to XCom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

pytest.importorskip("playwright", reason="not among the packages of an image")
from playwright.sync_api import Browser, FrameLocator, expect

from redshift_auth_alert.detection.findings import Coverage, FailedAt, Fleet, Gap, Login
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.settings.entries import Ignore
from sandbox.mwaa import DAG_ID
from tests.conftest import NOON
from tests.message.findings import GOT_IN, MINUTE, OVER, make_breach, make_verdict
from tests.page.browser import Open, Window, text
from tests.page.recorded import DONE, RUN, Recorded, recorded_run

GATEWAY = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 12, 31))
PARTIAL = Coverage("stl_connection_log", "partial", "events up to 12:10 only", shown=Interval(NOON, NOON + 10 * MINUTE))
UNSEEN = Coverage("stl_connection_log", "unseen", "STL_CONNECTION_LOG shows no event at all")
FAILED_CHECK = {"query_auth_failures": "success", "check_threshold": "failed"}
HOSTILE = "<script>document.title='owned'</script>\N{RIGHT-TO-LEFT OVERRIDE}" + "\N{PILE OF POO}" * 50


def test_it_says_how_many_attacked_and_how_many_got_in(open_tab: Open) -> None:
    page = text(open_tab(recorded_run(make_verdict(GOT_IN, make_breach(group={"remote_host": "203.0.113.9"})))))
    assert "▲ 2 remote hosts each reached the threshold of 10 failures within 30 minutes. 1 GOT IN." in page
    assert "The log shows 12 failures of anybody in this interval." in page


def test_it_says_who_attacked_and_whether_they_got_in(open_tab: Open) -> None:
    groups = open_tab(
        recorded_run(make_verdict(GOT_IN, make_breach(group={"remote_host": "203.0.113.9"}, ongoing=True)))
    )
    expect(groups.locator("h3").nth(0)).to_have_text("203.0.113.7 14 failures new GOT IN")
    expect(groups.locator("li").nth(0)).to_contain_text("as admin at 2026-03-01 12:10:00 UTC")
    expect(groups.locator("h3").nth(1)).to_have_text("203.0.113.9 14 failures ongoing")
    expect(groups.locator("li").nth(1)).to_contain_text("no: no sign-in as a user that it had failed as")


@pytest.mark.parametrize(
    "says",
    [
        "guessing 2 users in a burst",
        "from 2026-03-01 12:01:00 UTC to 2026-03-01 12:09:00 UTC; peak 15, threshold 10",
        "from 2026-03-01 12:05:00 UTC to 2026-03-01 12:09:00 UTC",
        "admin (9), root (5)",
        "find out who it is, or block the address",
    ],
)
def test_a_group_has_what_matters_first_of_the_alert(open_tab: Open, says: str) -> None:
    assert says in text(open_tab(recorded_run(make_verdict(make_breach()))))


def test_a_group_of_a_fleet_has_the_warehouses_at_which_it_failed(open_tab: Open) -> None:
    at = (FailedAt("sales", 9), FailedAt("ops", 5))
    got_in = Login(NOON + 10 * MINUTE, "admin", "ops")
    group = make_breach(warehouses=3, top_warehouses=at, got_in=got_in)
    page = text(open_tab(recorded_run(make_verdict(group))))
    assert "at 3 warehouses: sales, ops and 1 more" in page
    assert "as admin at ops at 2026-03-01 12:10:00 UTC" in page


def test_failures_over_time_are_bars_as_high_as_their_number(open_tab: Open) -> None:
    frame = open_tab(recorded_run(make_verdict(make_breach())))
    # parts: (0, 0, 8, 4, 1, 1, 0, ...)
    heights = bars(frame)
    assert heights[0] == heights[6] == 0
    assert heights[2] == pytest.approx(2 * heights[3], abs=3)
    assert heights[2] == pytest.approx(8 * heights[4], abs=8)


def bars(frame: FrameLocator) -> list[int]:
    """The height in pixels of each of the twelve bars of the first group's chart."""
    canvas = frame.locator("li canvas").first
    canvas.wait_for()
    frame.locator("li").first.scroll_into_view_if_needed()
    return list(
        canvas.evaluate(
            """async (canvas) => {
                await new Promise(requestAnimationFrame);
                const { width, height } = canvas, plot = canvas.closest(".uplot").querySelector(".u-over");
                const ctx = canvas.getContext("2d"), scale = devicePixelRatio;
                const left = plot.offsetLeft * scale, wide = plot.offsetWidth * scale;
                return Array.from({ length: 12 }, (_, part) => {
                    const x = Math.round(left + wide * (part + 0.7) / 12);
                    const { data } = ctx.getImageData(x, 0, 1, height);
                    let bar = 0;
                    for (let y = 0; y < height; y++) {
                        bar += data[4 * y] === 0x3b && data[4 * y + 1] === 0x82 && data[4 * y + 2] === 0xf6;
                    }
                    return bar;
                });
            }"""
        )
    )


def test_the_same_numbers_are_a_table_for_who_cannot_see_the_chart(open_tab: Open) -> None:
    frame = open_tab(recorded_run(make_verdict(make_breach())))
    frame.locator("li summary").click()
    expect(frame.locator("li tbody tr").nth(2)).to_have_text("2026-03-01 12:05:008")
    expect(frame.locator("li tbody tr")).to_have_count(12)


def test_a_quiet_run_says_so_with_its_numbers(open_tab: Open) -> None:
    page = text(open_tab(recorded_run(make_verdict())))
    assert "✓ Nothing to report: no remote host reached the threshold of 10 failures within 30 minutes." in page
    assert "The log shows 12 failures of anybody in this interval." in page
    assert "✓ Seen: the log shows the whole interval." in page


def test_a_partly_seen_interval_says_up_to_when(open_tab: Open) -> None:
    frame = open_tab(recorded_run(make_verdict(coverage=PARTIAL)))
    assert "Seen from 2026-03-01 12:00:00 UTC to 2026-03-01 12:10:00 UTC." in text(frame)
    assert "◐ Nothing to report in the part that the log shows; the rest is unknown." in text(frame)
    band, seen = frame.locator(".coverage").bounding_box(), frame.locator(".coverage span").bounding_box()
    assert band
    assert seen
    assert (seen["x"], seen["width"]) == (band["x"], pytest.approx(band["width"] / 3, abs=1))


def test_lines_that_could_not_be_read_are_counted_beside_a_seen_interval(open_tab: Open) -> None:
    coverage = Coverage("audit_log_s3", "seen", "3 lines of the scanned days could not be read")
    page = text(open_tab(recorded_run(make_verdict(coverage=coverage))))
    assert "✓ Seen: the log shows the whole interval; 3 lines of the scanned days could not be read" in page


def test_a_fleet_with_a_warehouse_unseen_says_that_the_others_were_evaluated(open_tab: Open) -> None:
    gap = Gap("lab", "unseen", "lab shows no event")
    coverage = Coverage(
        "sys_connection_log_s3", "partial", "1 of 3 warehouses was not evaluated", fleet=Fleet(3, 1, 0, (gap,))
    )
    states = {**DONE, "require_coverage": "failed"}
    answers = recorded_run(make_verdict(GOT_IN, coverage=coverage), state="failed", tasks=states)
    page = text(open_tab(answers))
    assert "✕ Not all warehouses were evaluated: the others may hide an attack" in page
    assert "require_coverage failed." in page
    assert "1 GOT IN." in page


def test_a_group_that_is_quiet_again_is_no_all_clear_of_nothing(open_tab: Open) -> None:
    assert "1 quiet again." in text(open_tab(recorded_run(make_verdict(OVER))))


def test_an_unseen_interval_says_that_nobody_knows_and_why(open_tab: Open) -> None:
    reasons = {"check_threshold": "the interval is unseen: STL_CONNECTION_LOG shows no event at all"}
    verdict = make_verdict(coverage=UNSEEN)
    page = text(open_tab(recorded_run(verdict, state="failed", tasks=FAILED_CHECK, reasons=reasons)))
    assert "✕ Unseen: nobody knows what happened in this interval" in page
    assert "STL_CONNECTION_LOG shows no event at all" in page
    assert "Nothing to report" not in page


def test_a_failed_run_names_the_task_the_reason_and_what_to_do(open_tab: Open) -> None:
    reasons = {"query_auth_failures": "the warehouse refused the sign-in: check user and password"}
    tasks = {"query_auth_failures": "failed", "check_threshold": "upstream_failed"}
    page = text(open_tab(recorded_run(state="failed", tasks=tasks, reasons=reasons)))
    assert "✕ Failed: this interval was not evaluated" in page
    assert "query_auth_failures failed. the warehouse refused the sign-in: check user and password" in page
    assert "clear query_auth_failures and the tasks after it" in page


def test_a_failed_task_without_a_reason_leads_to_its_log(open_tab: Open) -> None:
    page = text(open_tab(recorded_run(state="failed", tasks={**FAILED_CHECK, "query_auth_failures": "failed"})))
    assert "query_auth_failures failed. It left no reason. Its log says more." in page


def test_an_alert_that_was_not_published_still_shows_who_attacked(open_tab: Open) -> None:
    page = text(open_tab(recorded_run(make_verdict(GOT_IN), state="failed", tasks={**DONE, "publish_alert": "failed"})))
    assert "✕ The message was not published" in page
    assert "203.0.113.7" in page


def test_a_dry_run_says_that_nothing_was_published(open_tab: Open) -> None:
    assert "a dry run: nothing was published" in text(open_tab(recorded_run(make_verdict(GOT_IN), dry_run=True)))


def test_an_ignored_group_has_its_reason(open_tab: Open) -> None:
    frame = open_tab(recorded_run(make_verdict(make_breach(outcome="ignored", entry=GATEWAY))))
    expect(frame.locator("h3")).to_have_text("203.0.113.7 14 failures ignored")
    expect(frame.locator("dl")).to_contain_text("IgnoredBI gateway")


@pytest.mark.parametrize(
    ("breach", "state"),
    [(make_breach(outcome="held_back", ongoing=True), "held back"), (OVER, "over")],
    ids=["held back", "over"],
)
def test_a_group_that_is_not_reported_as_breaching_says_what_it_is(open_tab: Open, breach: Any, state: str) -> None:
    expect(open_tab(recorded_run(make_verdict(breach))).locator("li .state")).to_have_text(state)


def test_groups_by_several_columns_name_each_column(open_tab: Open) -> None:
    group = {"remote_host": "203.0.113.7", "user_name": "etl user"}
    frame = open_tab(recorded_run(make_verdict(make_breach(group=group)), group_by=list(group)))
    expect(frame.locator("h3")).to_have_text('remote_host=203.0.113.7 user_name="etl user" 14 failures new')


def test_groups_that_the_document_does_not_name_are_counted(open_tab: Open) -> None:
    assert "Not named here: 12,999 more groups." in text(
        open_tab(recorded_run(make_verdict(make_breach(), new=13_000)))
    )


def test_hostile_names_stay_text(open_tab: Open, windows: list[Window]) -> None:
    breach = make_breach(group={"remote_host": HOSTILE}, top_users=((HOSTILE, 9),))
    frame = open_tab(recorded_run(make_verdict(breach)))
    expect(frame.locator("h3 bdi")).to_have_text(HOSTILE.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "\\u{202e}").join('""'))
    assert frame.locator("script").count() == 2
    assert windows[0].page.frames[1].title() == "Sign-ins"


def test_a_thousand_groups_are_all_there(open_tab: Open) -> None:
    breaches = [make_breach(group={"remote_host": f"203.0.{number // 250}.{number % 250}"}) for number in range(1_000)]
    frame = open_tab(recorded_run(make_verdict(*breaches), max_groups=100))
    expect(frame.locator("li")).to_have_count(1_000)
    expect(frame.locator("li").last).to_contain_text("203.0.3.249")


def test_a_chart_that_is_out_of_view_is_drawn_when_it_comes_into_view(open_tab: Open) -> None:
    breaches = [make_breach(group={"remote_host": f"203.0.113.{number}"}) for number in range(100)]
    frame = open_tab(recorded_run(make_verdict(*breaches), max_groups=100))
    last = frame.locator("li").nth(99)
    last.wait_for(state="attached")
    assert last.locator("canvas").count() == 0
    last.scroll_into_view_if_needed()
    expect(last.locator("canvas")).to_have_count(1)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_goes_on_says_so(open_tab: Open, state: str) -> None:
    page = text(open_tab(recorded_run(state=state, tasks={**DONE, "check_threshold": "running"})))
    assert "This run has not finished. The page looks again every 10 seconds." in page


def test_it_shows_the_run_once_it_has_finished(open_tab: Open, airflow: Recorded, windows: list[Window]) -> None:
    frame = open_tab(recorded_run(state="running"))
    expect(frame.locator("#status")).to_contain_text("has not finished")
    airflow.answers = recorded_run(make_verdict(GOT_IN))
    expect(frame.locator("h3")).to_have_text("203.0.113.7 14 failures new GOT IN", timeout=20_000)


def test_a_run_whose_xcom_is_gone_says_so(open_tab: Open) -> None:
    assert "What this run found is gone" in text(open_tab(recorded_run()))


def test_a_run_of_a_version_without_a_summary_shows_its_document(open_tab: Open) -> None:
    answers = recorded_run(make_verdict(GOT_IN))
    document = answers[f"dags/{DAG_ID}/dagRuns/{RUN}/taskInstances/check_threshold/xcomEntries/document"]["value"]
    document["version"] = "2.2"
    del answers[f"dags/{DAG_ID}/dagRuns/{RUN}/taskInstances/check_threshold/xcomEntries/summary"]
    del document["held_back"], document["coverage"]["shown"]
    assert "1 remote host reached the threshold of 10 failures within 30 minutes. 1 GOT IN." in text(open_tab(answers))


def test_a_run_of_another_major_version_says_so(open_tab: Open) -> None:
    answers = recorded_run(make_verdict(GOT_IN))
    answers[f"dags/{DAG_ID}/dagRuns/{RUN}/taskInstances/check_threshold/xcomEntries/document"]["value"]["version"] = (
        "3.0"
    )
    assert "this run kept version 3.0. The run's message says what it found." in text(open_tab(answers))


def test_a_check_of_the_set_up_says_so(open_tab: Open) -> None:
    answers = recorded_run()
    answers[f"dags/{DAG_ID}/dagRuns/{RUN}"]["conf"] = {"check_only": True}
    assert "This run checked the set-up. It evaluated no interval" in text(open_tab(answers))


def test_a_dag_of_somebody_else_says_that_it_has_nothing_to_show(open_tab: Open) -> None:
    assert "This DAG does not watch sign-ins" in text(open_tab(recorded_run(tasks={"load": "success"})))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "You are not signed in to Airflow, or your session has ended. Sign in, then reload this page."),
        (403, "Airflow does not let you see this. Ask an administrator for the right"),
        (404, "Airflow has no such run. Choose another one."),
        (500, "Airflow answered with error 500. Reload this page later."),
    ],
)
def test_an_answer_that_is_an_error_says_what_to_do(open_tab: Open, status: int, says: str) -> None:
    path = f"dags/{DAG_ID}/dagRuns/{RUN}"
    assert says in text(open_tab(recorded_run(make_verdict(GOT_IN)) | {path: status, f"{path}/taskInstances": status}))


def test_rights_on_runs_but_not_on_xcom_say_what_to_do(open_tab: Open) -> None:
    path = f"dags/{DAG_ID}/dagRuns/{RUN}/taskInstances/check_threshold/xcomEntries/summary"
    page = text(open_tab(recorded_run(make_verdict(GOT_IN)) | {path: 403}))
    assert "Ask an administrator for the right to read this DAG's runs and XCom." in page


def test_a_sign_in_page_in_place_of_an_answer_says_that_the_session_has_ended(
    chromium: Browser, airflow: Recorded
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/api/v2/**", lambda route: route.fulfill(status=200, body="<h1>Sign in</h1>"))
    page.goto(airflow.address())
    expect(page.frame_locator("iframe").locator("#status")).to_contain_text(
        "your session has ended. Sign in, then reload"
    )
    context.close()


def test_a_page_of_a_load_balancer_says_which_error_it_is(chromium: Browser, airflow: Recorded) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/api/v2/**", lambda route: route.fulfill(status=503, body="<h1>Unavailable</h1>"))
    page.goto(airflow.address())
    expect(page.frame_locator("iframe").locator("#status")).to_contain_text("Airflow answered with error 503.")
    context.close()


def test_a_network_that_is_gone_says_so(chromium: Browser, airflow: Recorded) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/api/v2/**", lambda route: route.abort())
    page.goto(airflow.address())
    status = page.frame_locator("iframe").locator("#status")
    expect(status).to_have_text("Airflow did not answer. Check your network, then reload this page.")
    context.close()


def test_local_time_stands_beside_utc(open_tab: Open) -> None:
    page = text(open_tab(recorded_run(make_verdict(GOT_IN)), timezone_id="Asia/Kolkata"))
    assert "as admin at 2026-03-01 12:10:00 UTC (17:40:00 GMT+5:30)" in page


def test_local_time_of_another_day_has_its_date(open_tab: Open) -> None:
    page = text(open_tab(recorded_run(make_verdict(GOT_IN)), timezone_id="Pacific/Auckland"))
    assert "as admin at 2026-03-01 12:10:00 UTC (2 Mar 2026, 01:10:00 GMT+13)" in page


@pytest.mark.parametrize("width", [400, 1600])
def test_it_fits_a_narrow_and_a_wide_window(open_tab: Open, width: int) -> None:
    frame = open_tab(recorded_run(make_verdict(GOT_IN, make_breach(group={"remote_host": HOSTILE}))), width=width)
    frame.locator("li canvas").first.wait_for()
    assert frame.locator("html").evaluate("(html) => html.scrollWidth - html.clientWidth") == 0


DARK, LIGHT = "rgb(24, 24, 27)", "rgb(255, 255, 255)"


@pytest.mark.parametrize(("theme", "back"), [("light", LIGHT), ("dark", DARK)])
def test_it_has_airflows_theme_whatever_the_systems_is(open_tab: Open, theme: str, back: str) -> None:
    other = "light" if theme == "dark" else "dark"
    frame = open_tab(recorded_run(make_verdict(GOT_IN)), theme=theme, color_scheme=other)
    expect(frame.locator("body")).to_have_css("background-color", back)


def test_it_follows_when_airflows_theme_changes(open_tab: Open, windows: list[Window]) -> None:
    frame = open_tab(recorded_run(make_verdict(GOT_IN)), theme="light")
    frame.locator("canvas").first.wait_for()
    windows[0].page.evaluate("document.documentElement.className = 'dark'")
    expect(frame.locator("body")).to_have_css("background-color", DARK)


@pytest.mark.parametrize(("theme", "back"), [("light", LIGHT), ("dark", DARK)])
def test_alone_it_has_the_systems_theme(chromium: Browser, airflow: Recorded, theme: Any, back: str) -> None:
    airflow.answers = recorded_run(make_verdict(GOT_IN))
    context = chromium.new_context(color_scheme=theme)
    page = context.new_page()
    page.goto(f"{airflow.url}/redshift-auth-alert/index.html?dag_id={DAG_ID}&run_id={RUN.replace('+', '%2B')}")
    expect(page.locator("h3")).to_have_text("203.0.113.7 14 failures new GOT IN")
    expect(page.locator("body")).to_have_css("background-color", back)
    context.close()


def test_a_plus_in_a_run_id_stays_one_where_airflow_does_not_encode_it(chromium: Browser, airflow: Recorded) -> None:
    airflow.answers = recorded_run(make_verdict(GOT_IN))
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{airflow.url}/redshift-auth-alert/index.html?dag_id={DAG_ID}&run_id={RUN}")
    expect(page.locator("h3")).to_have_text("203.0.113.7 14 failures new GOT IN")
    context.close()


def test_a_group_in_one_line_has_its_failures(open_tab: Open) -> None:
    frame = open_tab(recorded_run(make_verdict(make_breach(), replace(make_breach(), details=None))))
    expect(frame.locator("li").nth(1)).to_have_text("203.0.113.7 14 failures new")


def test_an_interval_of_days_has_dates_on_its_axis_and_in_its_table(open_tab: Open) -> None:
    frame = open_tab(recorded_run(make_verdict(make_breach()), end=NOON + timedelta(days=3), run_type="manual"))
    frame.locator("li summary").click()
    expect(frame.locator("li tbody tr").last).to_contain_text("2026-03-04 06:00:00")
