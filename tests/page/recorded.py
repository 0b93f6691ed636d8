"""What Airflow's REST API answers about runs of a monitor, with what the package itself pushes to XCom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from redshift_auth_alert.detection.findings import Verdict
from redshift_auth_alert.message.alert import build_alert
from redshift_auth_alert.message.compose import compose_document
from redshift_auth_alert.message.summary import summarise
from redshift_auth_alert.tasks.page import PREFIX, PageApp
from sandbox.mwaa import DAG_ID
from sandbox.warehouse import free_port
from tests.conftest import make_run

RUN = "scheduled__2026-03-01T12:30:00+00:00"
DONE = {"query_auth_failures": "success", "check_threshold": "success", "publish_alert": "success"}
# As Airflow shows a plugin's page.
FRAME = """<!DOCTYPE html><html class="{theme}"><title>Airflow</title><body>
<iframe title="Sign-ins" sandbox="allow-scripts allow-same-origin allow-forms" src="{source}"
 width="100%" height="900"></iframe></body></html>"""


def recorded_run(
    verdict: Verdict | None = None,
    run_id: str = RUN,
    *,
    state: str = "success",
    tasks: Mapping[str, str] = DONE,
    reasons: Mapping[str, str] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Answers by path about a run: of its tasks, its summary and, where any group breached, its document."""
    run = make_run(**settings)
    path = f"dags/{DAG_ID}/dagRuns/{run_id}"
    entries = {f"{task}/xcomEntries/reason": reason for task, reason in (reasons or {}).items()}
    if verdict:
        entries["check_threshold/xcomEntries/summary"] = summarise(verdict, run)
        if verdict.breaches or verdict.says_something:
            entries["check_threshold/xcomEntries/document"] = compose_document(build_alert(verdict, run))
    return {
        path: dag_run(run_id, run.interval.start, run.interval.end, state=state),
        f"{path}/taskInstances": {"task_instances": [{"task_id": task, "state": each} for task, each in tasks.items()]},
        **{f"{path}/taskInstances/{name}": {"value": value} for name, value in entries.items()},
    }


def dag_run(run_id: str, start: datetime, end: datetime, *, state: str, run_type: str = "scheduled") -> dict[str, Any]:
    return {
        "dag_run_id": run_id, "state": state, "run_type": run_type, "conf": {}, "run_after": end.isoformat(),
        "data_interval_start": start.isoformat(), "data_interval_end": end.isoformat(),
    }  # fmt: skip


class Recorded:
    """Serves the page and the answers. An answer that is a number is an error's status."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.held = ""  # what a path holds that is not answered yet
        self.url = ""

    def address(self, run_id: str | None = RUN, theme: str = "light") -> str:
        """The address of Airflow's tab of a run, or of the DAG."""
        return f"{self.url}/dags/{DAG_ID}/{f'runs/{run_id}/' if run_id else ''}tab?theme={theme}"

    async def _answer(self, request: Request) -> Response:
        path = unquote(request.path_params["path"])
        self.asked.append(f"{path}?{request.url.query}")
        answer = self.answers.get(path, 404)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.005)
        while self.held and self.held in path:
            await asyncio.sleep(0.02)
        self.at_once -= 1
        if path.endswith("/dagRuns") and isinstance(answer, list):
            offset, limit = int(request.query_params["offset"]), int(request.query_params["limit"])
            answer = {"dag_runs": answer[offset : offset + limit], "total_entries": len(answer)}
        if isinstance(answer, int):
            return JSONResponse({"detail": "…"}, answer)
        return Response(json.dumps(answer), media_type="application/json")

    async def _tab(self, request: Request) -> Response:
        tab = re.fullmatch(r".*/dags/([^/]+)/(?:runs/(.+)/)?tab", request.url.path)
        if not tab:
            return HTMLResponse(f"<title>{request.url.path}</title>")
        run_id = tab[2] and unquote(tab[2]).replace("+", "%2B")
        source = f"{self.url}{PREFIX}/index.html?dag_id={tab[1]}" + (f"&run_id={run_id}" if run_id else "")
        return HTMLResponse(FRAME.format(theme=request.query_params["theme"], source=source))

    def app(self, base: str) -> Starlette:
        """The application below a base path."""
        return Starlette(
            routes=[
                Mount(f"{base}{PREFIX}", PageApp()),
                Route(f"{base}/api/v2/{{path:path}}", self._answer),
                Route(f"{base}/dags/{{path:path}}", self._tab),
            ]
        )


@contextlib.contextmanager
def serving(base: str = "/base/path") -> Iterator[Recorded]:
    """Serve until the end of the block."""
    recorded, port = Recorded(), free_port()
    server = uvicorn.Server(uvicorn.Config(recorded.app(base), host="127.0.0.1", port=port, log_level="warning"))
    recorded.url = f"http://127.0.0.1:{port}{base}"
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield recorded
    server.should_exit = True
    thread.join()
