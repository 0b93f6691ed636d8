"""How soon the page shows something, against Airflow's own page of the same run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from benchmarks.figure import Figure, medians
from redshift_auth_alert.tasks.page import PREFIX
from sandbox.aws import running_cloud
from sandbox.mwaa import DAG_ID, NEVER, airflow_home, monitor_file, running_airflow
from sandbox.warehouse import running_warehouse

GROUPS = 1_000
ROUNDS = 5


def first_paint() -> Iterator[Figure]:
    """Wall time until the first of 1,000 groups is painted, against the first of the run's tasks in Airflow's page."""
    from sandbox.browser import running_chromium

    monitors = {"default.yaml": monitor_file(start_date=NEVER, threshold=1)}
    with running_cloud() as cloud, running_warehouse() as warehouse, airflow_home() as home:
        at = datetime.now(UTC) - timedelta(minutes=5)
        for number in range(GROUPS):
            warehouse.remember_failure(at, f"203.0.{113 + number // 250}.{number % 250}", "admin")
        with running_airflow(home, warehouse, cloud, monitors) as airflow, running_chromium() as browser:
            airflow.unpause()
            run_id = airflow.trigger({})
            airflow.wait_for_run(run_id)
            run, window = f"{airflow.url}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}", browser.new_page()
            page = f"{airflow.url}{PREFIX}/index.html?dag_id={DAG_ID}&run_id={quote(run_id, safe='')}"

            def opened(address: str, first: Any) -> None:
                window.goto(address)
                first.wait_for()

            ours, airflows = medians(
                lambda: opened(page, window.locator("ol li h3").first),
                lambda: opened(run, window.get_by_role("link", name="check_threshold").first),
                rounds=ROUNDS,
            )
    yield Figure(
        f"the page's first group of {GROUPS:,}, against Airflow's own page of the run", ours / airflows, 1, "times"
    )
    yield Figure("the same, wall time", ours, 1, "s")
