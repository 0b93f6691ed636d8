from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.grammar.conftest import leave_out

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator

    from tests.page.browser import Open, Window
    from tests.page.recorded import Recorded


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    from sandbox.browser import find_chromium, running_chromium

    try:
        find_chromium()
    except RuntimeError as error:
        leave_out(str(error))
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def airflow() -> Iterator[Recorded]:
    """Serves the page, below a base path, and what Airflow would answer."""
    from tests.page.recorded import serving

    with serving() as recorded:
        yield recorded


@pytest.fixture
def windows() -> Iterator[list[Window]]:
    """The windows that a test has opened; fails where the browser complained, or another host was asked."""
    opened: list[Window] = []
    yield opened
    assert [complaint for window in opened for complaint in window.complaints] == []


@pytest.fixture
def open_tab(chromium: Browser, airflow: Recorded, windows: list[Window]) -> Iterator[Open]:
    """Opens the tab of a run, or of the DAG, with these answers, in a browser of these properties."""
    from tests.page.browser import open_window
    from tests.page.recorded import RUN

    contexts = []

    def open_tab(
        answers: dict[str, Any], run_id: str | None = RUN, *, theme: str = "light", width: int = 1200, **context: Any
    ) -> FrameLocator:
        airflow.answers = answers
        airflow.asked.clear()
        context = {"timezone_id": "UTC", "viewport": {"width": width, "height": 1000}} | context
        contexts.append(chromium.new_context(**context))
        window = open_window(contexts[-1], airflow.url)
        windows.append(window)
        window.page.goto(airflow.address(run_id, theme))
        return window.page.frame_locator("iframe")

    yield open_tab
    for context in contexts:
        context.close()
