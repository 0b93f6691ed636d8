"""What axe-core finds against WCAG on both tabs, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="not among the packages of an image")
from playwright.sync_api import expect

from redshift_auth_alert.detection.findings import Coverage
from tests.grammar.conftest import leave_out
from tests.message.findings import GOT_IN, make_breach, make_verdict
from tests.page.browser import Open, Window
from tests.page.recorded import RUN, recorded_run
from tests.page.test_dag_tab import AGAIN, PARTIAL, QUIET, UNSEEN, recorded

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
COVERAGE = Coverage("stl_connection_log", "partial", "up to noon")
ATTACK = recorded_run(make_verdict(GOT_IN, make_breach(ongoing=True, group={"remote_host": ""}), coverage=COVERAGE))
FAILED = recorded_run(state="failed", tasks={"query_auth_failures": "failed", "check_threshold": "upstream_failed"})
INTERVALS = recorded(
    make_verdict(AGAIN), make_verdict(coverage=UNSEEN), make_verdict(coverage=PARTIAL), QUIET, None, None, QUIET,
    states={1: "failed", 4: "failed"}, skip=(5,),
)  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("answers", "run_id", "ready"),
    [(ATTACK, RUN, "canvas"), (FAILED, RUN, "section.failed"), (INTERVALS, None, "section table")],
    ids=["run", "failed run", "intervals"],
)
def test_axe_finds_nothing(
    open_tab: Open, windows: list[Window], answers: dict[str, Any], run_id: str | None, ready: str, *, theme: str
) -> None:
    if not AXE.exists():
        leave_out("needs npm: make test-page")
    frame = open_tab(answers, run_id, theme=theme)
    frame.locator(ready).first.wait_for(state="attached")
    expect(frame.locator("#status")).not_to_contain_text("Read")
    inner = windows[0].page.frames[1]
    inner.evaluate(AXE.read_text())
    found = inner.evaluate("() => axe.run()")
    violations = [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]
    assert violations == []
