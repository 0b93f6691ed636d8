"""``python -m sandbox pictures``: the alert, the page and the graph as the docs show them, from real failed logins."""

from __future__ import annotations

import argparse
import contextlib
import html

from redshift_auth_alert.tasks.page import RUN_TAB
from sandbox.aws import Mail, running_cloud
from sandbox.browser import running_chromium
from sandbox.demo import ATTACKS
from sandbox.mwaa import DAG_ID, NEVER, ROOT, airflow_home, monitor_file, running_airflow
from sandbox.warehouse import running_warehouse

PICTURES = ROOT / "docs" / "pictures"
LIMIT = 300_000  # bytes of all
MAIL = """<!DOCTYPE html>
<style>body {{ margin: 0; padding: 16px; font: 12px/1.4 monospace; white-space: pre-wrap; }}</style>
<b>Subject: {subject}</b>

{body}"""


def run(_arguments: argparse.Namespace) -> int:
    """Take the pictures; return 1 where they are too large."""
    PICTURES.mkdir(exist_ok=True)
    with contextlib.ExitStack() as running:
        cloud, warehouse = running.enter_context(running_cloud()), running.enter_context(running_warehouse())
        for attack in ATTACKS:
            attack.carry_out(warehouse)
        monitors = {"default.yaml": monitor_file(start_date=NEVER, warehouse="sales-dwh")}
        home = running.enter_context(airflow_home())
        airflow = running.enter_context(running_airflow(home, warehouse, cloud, monitors))
        airflow.unpause()
        run_id = airflow.trigger({})
        airflow.wait_for_run(run_id)
        take(cloud.wait_for_mail(60)[0], f"{airflow.url}/dags/{DAG_ID}/runs/{run_id}/plugin/{RUN_TAB}")
    size = sum(path.stat().st_size for path in PICTURES.iterdir())
    print(f"The pictures are in {PICTURES}: {size:,} bytes, of {LIMIT:,} at most.")
    return int(size > LIMIT)


def take(mail: Mail, address: str) -> None:
    """Take the pictures."""
    with running_chromium() as browser:
        page = browser.new_page(viewport={"width": 620, "height": 100}, timezone_id="UTC")
        page.set_content(MAIL.format(subject=html.escape(mail.subject), body=html.escape(mail.body)))
        page.screenshot(path=PICTURES / "mail.png", full_page=True)
        page = browser.new_page(viewport={"width": 1200, "height": 1070}, timezone_id="UTC")
        page.goto(address)
        page.frame_locator("iframe").locator("li canvas").last.wait_for()
        page.screenshot(path=PICTURES / "page.png")
        page.evaluate("localStorage.setItem('default_dag_view', '\"graph\"')")
        page.reload()
        page.set_viewport_size({"width": 1200, "height": 360})
        page.add_style_tag(content=".react-flow__panel, .react-flow__background { display: none }")
        page.locator(".react-flow__node").last.wait_for()
        page.locator(".react-flow").screenshot(path=PICTURES / "graph.png")
