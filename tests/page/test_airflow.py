"""A real attack on the sandbox, and then the page in a real Airflow: what it shows, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

pytest.importorskip("playwright", reason="not among the packages of an image")
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Page, expect

from redshift_auth_alert.tasks.page import PREFIX
from sandbox.aws import running_cloud
from sandbox.browser import PATIENCE
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.users import token
from sandbox.warehouse import running_warehouse
from tests.page.browser import text

USERS = {"ann": "admin", "guest": ""}  # a user without a role may see nothing
NAME = "<img src=x onerror=alert(1)>"


@dataclass
class World:
    airflow: Airflow
    attacked: str
    quiet: str
    failed: str
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[World]:
    monitors = {"default.yaml": monitor_file(start_date=NEVER)}
    with running_cloud() as cloud, running_warehouse() as warehouse:
        for _ in range(11):
            assert not warehouse.login("127.0.0.4", "analyst", "guess")
        assert warehouse.login("127.0.0.4", "analyst", "analyst")
        for _ in range(12):
            assert not warehouse.login("127.0.0.2", NAME, "guess")
        home = tmp_path_factory.mktemp("airflow")
        with running_airflow(home, warehouse, cloud, monitors, users=USERS) as airflow:
            airflow.unpause(seconds=600)
            overrides = [{}, {"threshold": 1_000}, {"conn_id": "not_defined"}]
            runs = [airflow.trigger(conf) for conf in overrides]
            assert [airflow.wait_for_run(run, seconds=600) for run in runs] == ["success", "success", "failed"]
            yield World(airflow, *runs)


Visit = Callable[..., Page]


@pytest.fixture
def visit(world: World, chromium: Browser) -> Iterator[Visit]:
    """Opens an address of Airflow with a user's session; fails where the page complained in the console."""
    contexts, complaints = [], []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and PREFIX in str(message.location):
            complaints.append(message.text)

    def visit(path: str, user: str | None = "ann", **context: str) -> Page:
        contexts.append(chromium.new_context(timezone_id="UTC", **context))
        if user:
            session = token(world.airflow.url, user)["Authorization"].removeprefix("Bearer ")
            contexts[-1].add_cookies([{"name": "_token", "value": session, "url": world.airflow.url}])
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.on("console", note)
        page.goto(f"{world.airflow.url}{path}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [each for each in complaints if "the server responded with a status of" not in each] == []


def run_page(run_id: str, tab: str = "/plugin/sign-ins") -> str:
    return f"/dags/{DAG_ID}/runs/{quote(run_id, safe='')}{tab}"


def frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Sign-ins']")


def test_a_run_has_a_tab_that_says_who_attacked_and_got_in(world: World, visit: Visit) -> None:
    page = visit(run_page(world.attacked, ""))
    page.get_by_role("link", name="Sign-ins").click()
    shown = text(frame(page))
    assert "2 remote hosts each reached the threshold of 10 failures within 30 minutes. 1 GOT IN." in shown
    expect(frame(page).locator("h3")).to_have_text(["127.0.0.4 11 failures new GOT IN", "127.0.0.2 12 failures new"])
    expect(frame(page).locator("li").first).to_contain_text("as analyst at ")


def test_names_of_a_real_attacker_stay_text(world: World, visit: Visit) -> None:
    page = visit(run_page(world.attacked))
    expect(frame(page).locator("li").last).to_contain_text(f'"{NAME}" (12')
    assert frame(page).locator("img").count() == 0


def test_failures_are_drawn(world: World, visit: Visit) -> None:
    canvas = frame(visit(run_page(world.attacked))).locator("li canvas").first
    canvas.wait_for()
    painted = canvas.evaluate(
        """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const blue = (at) => data[at] === 0x3b && data[at + 1] === 0x82 && data[at + 2] === 0xf6;
            return data.some((_, at) => at % 4 === 0 && blue(at));
        }"""
    )
    assert painted


def test_a_quiet_run_says_so(world: World, visit: Visit) -> None:
    shown = text(frame(visit(run_page(world.quiet))))
    assert "Nothing to report: no remote host reached the threshold of 1,000 failures within 30 minutes." in shown
    assert "The log shows 23 failures of anybody in this interval." in shown


def test_a_failed_run_says_why(world: World, visit: Visit) -> None:
    shown = text(frame(visit(run_page(world.failed))))
    assert "Failed: this interval was not evaluated" in shown
    assert "query_auth_failures failed. Connection 'not_defined' is not defined: add it" in shown


def test_the_dag_has_a_tab_whose_intervals_lead_to_their_runs(world: World, visit: Visit) -> None:
    page = visit(f"/dags/{DAG_ID}")
    page.get_by_role("link", name="Sign-ins").click()
    expect(frame(page).locator("section a.cell.failed")).to_have_count(1)
    frame(page).locator("section a.cell.breach").click()
    page.wait_for_url(f"**{run_page(world.attacked)}")
    expect(frame(page).locator("h3").first).to_have_text("127.0.0.4 11 failures new GOT IN")


@pytest.mark.parametrize(("theme", "back"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(24, 24, 27)")])
def test_it_has_the_theme_that_is_chosen_in_airflow(world: World, visit: Visit, theme: str, back: str) -> None:
    page = visit(run_page(world.attacked), color_scheme="light" if theme == "dark" else "dark")
    page.evaluate("(theme) => localStorage.setItem('theme', theme)", theme)
    page.reload()
    expect(frame(page).locator("body")).to_have_css("background-color", back)


@pytest.mark.parametrize(
    ("user", "says"),
    [("guest", "Airflow does not let you see this."), (None, "You are not signed in to Airflow")],
    ids=["no rights", "no session"],
)
@pytest.mark.parametrize("of_run", [True, False], ids=["run", "dag"])
def test_who_may_not_see_a_dag_sees_nothing_of_it(
    world: World, visit: Visit, user: str | None, says: str, *, of_run: bool
) -> None:
    run = f"&run_id={quote(world.attacked, safe='')}" if of_run else ""
    page = visit(f"{PREFIX}/index.html?dag_id={DAG_ID}{run}", user)
    expect(page.locator("#status")).to_contain_text(says)
    assert "127.0.0" not in page.locator("body").inner_text()
