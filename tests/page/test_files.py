"""What the page consists of, how it is served, and where Airflow is asked to show it."""

from __future__ import annotations

import http.client
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from airflow.plugins_manager import AirflowPlugin
from starlette.testclient import TestClient

from deploy.bundle import files_to_install
from redshift_auth_alert.tasks.page import EXTERNAL_VIEWS, FASTAPI_APPS, FILES, PREFIX, PageApp, shows_page
from tests.conftest import ROOT
from tests.grammar.conftest import leave_out
from tests.page.recorded import serving

HERE = Path(__file__).parent
NPM = HERE / "node_modules"
OWN = sorted(path.name for path in FILES.iterdir() if path.is_file())
VENDORED = {"uPlot.iife.min.js": "dist/uPlot.iife.min.js", "uPlot.min.css": "dist/uPlot.min.css", "LICENSE": "LICENSE"}


def test_the_page_has_400_lines_at_most() -> None:
    assert sum(len((FILES / name).read_text().splitlines()) for name in OWN) <= 400


@pytest.mark.parametrize("name", OWN)
def test_no_text_becomes_markup(name: str) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", (FILES / name).read_text())


@pytest.mark.parametrize(("name", "within"), VENDORED.items())
def test_the_chart_library_is_the_one_of_npm_that_is_locked(name: str, within: str) -> None:
    if not (NPM / ".ready").exists():
        leave_out("needs npm: make test-page")
    assert (FILES / "vendor" / name).read_bytes() == (NPM / "uplot" / within).read_bytes()


def test_the_lock_has_the_hash_of_each_package_and_names_no_registry() -> None:
    lock = (HERE / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    assert {"node_modules/uplot", "node_modules/axe-core"} < packages.keys()
    hashes = {name: package.get("integrity", "") for name, package in packages.items() if name}
    assert [name for name, value in hashes.items() if not re.fullmatch(r"sha512-[\w+/]{86}==", value)] == []
    assert "://" not in lock


def test_only_the_library_comes_from_npm() -> None:
    assert {path.name for path in (FILES / "vendor").iterdir()} == VENDORED.keys()


def test_plugins_zip_holds_the_page(tmp_path: Path) -> None:
    (tmp_path / "plugins.zip").write_bytes(files_to_install()["plugins.zip"])
    names = zipfile.ZipFile(tmp_path / "plugins.zip").namelist()
    files = [path.relative_to(FILES).as_posix() for path in FILES.rglob("*") if path.is_file()]
    assert {f"redshift_auth_alert/page/{name}" for name in files} <= set(names)


@pytest.fixture
def client() -> TestClient:
    return TestClient(PageApp())


@pytest.mark.parametrize("name", [*OWN, "vendor/uPlot.iife.min.js", "vendor/uPlot.min.css"])
def test_each_answer_forbids_other_hosts_inline_code_and_foreign_frames(client: TestClient, name: str) -> None:
    policy = client.get(f"/{name}").headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize(
    "path", ["/../tasks/page.py", "/%2e%2e/tasks/page.py", "/..%2f__init__.py", "/vendor/../../__init__.py"]
)
def test_nothing_outside_of_the_page_is_served(path: str) -> None:
    with serving() as recorded:
        address = urlsplit(f"{recorded.url}{PREFIX}{path}")
        connection = http.client.HTTPConnection(address.netloc, timeout=10)  # which sends the path as it is
        connection.request("GET", address.path)
        assert connection.getresponse().status == 404


def test_a_file_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/run.js").headers["etag"]
    assert client.get("/run.js", headers={"if-none-match": tag}).status_code == 304


def test_airflow_is_given_a_tab_for_runs_and_one_for_dags() -> None:
    assert [(view["destination"], view["url_route"], view["href"]) for view in EXTERNAL_VIEWS] == [
        ("dag_run", "sign-ins", "redshift-auth-alert/index.html?dag_id={DAG_ID}&run_id={RUN_ID}"),
        ("dag", "sign-in-intervals", "redshift-auth-alert/index.html?dag_id={DAG_ID}"),
    ]


def test_the_plugin_registers_page_and_tabs() -> None:
    plugin = load_plugin().RedshiftAuthAlertPlugin
    assert (plugin.fastapi_apps, plugin.external_views) == (FASTAPI_APPS, EXTERNAL_VIEWS)


def load_plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plugin", ROOT / "plugins" / "redshift_auth_alert_plugin.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_airflow_without_tabs_gets_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(AirflowPlugin, "external_views")
    plugin = load_plugin().RedshiftAuthAlertPlugin
    assert (plugin.fastapi_apps, hasattr(plugin, "external_views")) == ([], False)


@pytest.mark.parametrize(("value", "shown"), [("True", True), ("False", False), ("off", False)])
def test_an_environment_can_do_without_the_page(monkeypatch: pytest.MonkeyPatch, value: str, *, shown: bool) -> None:
    monkeypatch.setenv("AIRFLOW__REDSHIFT_AUTH_ALERT__PAGE", value)
    assert shows_page(AirflowPlugin) is shown


def test_the_plugin_loads_no_web_server() -> None:
    script = "import runpy, sys; runpy.run_path(sys.argv[1]); print({'starlette', 'fastapi'} & sys.modules.keys())"
    command = [sys.executable, "-c", script, str(ROOT / "plugins" / "redshift_auth_alert_plugin.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT / "plugins")
    assert done.stdout.splitlines()[-1] == "set()"
