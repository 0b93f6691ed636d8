"""The page in Airflow: tabs on each DAG and run, whose files hold no data and call Airflow's own REST API."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
FILES = Path(__file__).resolve().parents[1] / "page"
PREFIX = "/redshift-auth-alert"
RUN_TAB, DAG_TAB = "sign-ins", "sign-in-intervals"  # Airflow takes each once
# The page asks no other host for anything, and only Airflow may show it.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-cache",  # asks whether it has changed, so that an update shows at once
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_ADDRESS = f"{PREFIX.removeprefix('/')}/index.html"


class PageApp:
    """An ASGI application that serves the page's files to anybody."""

    def __init__(self) -> None:
        self._files: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if self._files is None:
            from starlette.staticfiles import StaticFiles  # only the API server needs it, and all load the plugin

            self._files = StaticFiles(directory=FILES)

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        await self._files(scope, receive, send_with_headers)


# What a plugin registers.
FASTAPI_APPS = [{"app": PageApp(), "url_prefix": PREFIX, "name": "redshift_auth_alert"}]
EXTERNAL_VIEWS = [
    {
        "name": "Sign-ins",
        "destination": "dag_run",
        "url_route": RUN_TAB,
        "href": f"{_ADDRESS}?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
    },
    {
        "name": "Sign-ins",
        "destination": "dag",
        "url_route": DAG_TAB,
        "href": f"{_ADDRESS}?dag_id={{DAG_ID}}",
    },
]


def shows_page(plugin: type) -> bool:
    """Return whether the page is to be shown by the Airflow that this class of plugins comes from."""
    from airflow.configuration import conf  # makes a folder at its import, and the sandbox reads the names above
    from airflow.exceptions import AirflowConfigException

    from redshift_auth_alert.tasks.versions import has_tabs  # as above

    try:
        wanted = conf.getboolean("redshift_auth_alert", "page", fallback=True)
    except AirflowConfigException as error:  # the same plugin registers the timetable, without which no DAG loads
        log.warning("The page is not shown. Set redshift_auth_alert.page to True or False: %s", error)
        wanted = False
    return has_tabs(plugin) and wanted
