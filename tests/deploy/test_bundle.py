"""What ``make bundle`` writes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from deploy.bundle import AIRFLOWS, versions_in, write_bundle
from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.monitors import DAG_ID, load_monitors
from tests.conftest import ROOT, TOPIC
from tests.locks import pins


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bundle_lies_as_mwaa_wants_it(tmp_path: Path) -> None:
    write_bundle(tmp_path / "build")
    found = contents(tmp_path / "build")
    assert {"plugins.zip", "requirements.txt"} == {name for name in found if "/" not in name}
    assert {"dags/redshift_auth_failure_alert.py", "dags/include/sql/auth_failures.sql"} <= found.keys()
    assert not [name for name in found if "__pycache__" in name]


def test_plugins_zip_holds_the_contents_of_the_folder_and_not_the_folder(tmp_path: Path) -> None:
    write_bundle(tmp_path / "build")
    names = zipfile.ZipFile(tmp_path / "build" / "plugins.zip").namelist()
    assert {".airflowignore", "redshift_auth_alert_plugin.py", "redshift_auth_alert/settings/model.py"} <= set(names)
    assert not [name for name in names if name.startswith("plugins/") or "__pycache__" in name]


def test_the_same_files_give_the_same_bytes(tmp_path: Path, checkout: Path) -> None:
    write_bundle(tmp_path / "one")
    write_bundle(tmp_path / "two", checkout)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_changed_monitor_leaves_plugins_zip_alone(tmp_path: Path, checkout: Path) -> None:
    write_bundle(tmp_path / "build", checkout)
    before = contents(tmp_path / "build")
    with (checkout / "include" / "monitors" / "default.yaml").open("a") as monitor:
        monitor.write("threshold: 20\n")
    write_bundle(tmp_path / "build", checkout)
    after = contents(tmp_path / "build")
    assert {name for name in after if after[name] != before[name]} == {"dags/include/monitors/default.yaml"}


@pytest.mark.parametrize("version", AIRFLOWS)
def test_the_requirements_are_those_of_the_airflow_version(tmp_path: Path, version: str) -> None:
    write_bundle(tmp_path / "build", airflow=version)
    assert f"apache-airflow=={version}\n" in (tmp_path / "build" / "requirements.txt").read_text()


@pytest.mark.parametrize("version", AIRFLOWS)
def test_what_mwaa_installs_is_locked_with_the_image(version: str) -> None:
    folder = ROOT / "deploy" / "airflow" / version
    assert pins(folder / "requirements.txt") <= pins(folder / "image.txt")


def test_the_requirements_of_the_newest_airflow_are_the_projects_own(tmp_path: Path) -> None:
    write_bundle(tmp_path / "build")
    assert (tmp_path / "build" / "requirements.txt").read_bytes() == (ROOT / "requirements.txt").read_bytes()


def test_an_airflow_version_that_is_not_supported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Airflow 2\.10\.3 is not supported; valid: 3\.0\.6, 3\.2\.1, 3\.3\.1"):
        write_bundle(tmp_path / "build", airflow="2.10.3")
    assert not (tmp_path / "build").exists()


def test_what_an_earlier_bundle_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / "build" / "dags").mkdir(parents=True)
    (tmp_path / "build" / "dags" / "old.py").touch()
    write_bundle(tmp_path / "build")
    assert "dags/old.py" not in contents(tmp_path / "build")


def test_what_cannot_be_emptied_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "build").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        write_bundle(tmp_path / "build")


def test_the_newest_airflow_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    for version in ("3.10.0", "3.2.1", "3.3.1"):
        (tmp_path / version).mkdir()
    assert versions_in(tmp_path) == ("3.2.1", "3.3.1", "3.10.0")


def test_what_monitors_share_is_bundled_with_them(tmp_path: Path, checkout: Path) -> None:
    monitors = checkout / "include" / "monitors"
    (monitors / "_shared.yaml").write_text("threshold: 7\n")
    (monitors / "fleet.yaml").write_text(f"environment: test\nsns_topic_arn: {TOPIC}\nwarehouses: [{{name: sales}}]\n")
    write_bundle(tmp_path / "build", checkout)
    (_, sales), problems = load_monitors(tmp_path / "build" / "dags" / "include" / "monitors")
    assert (sales.dag_id, sales.settings.threshold, problems) == (f"{DAG_ID}__fleet__sales", 7, [])


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("_shared.yaml", "threshold: 0", r"_shared\.yaml: threshold is 0: .*; this stops all monitors"),
        ("fleet.yaml", "environment: test\nwarehouses: [{nam: sales}]", r"fleet\.yaml, line 2: unknown setting 'nam'"),
    ],
)
def test_nothing_is_bundled_while_shared_settings_or_a_warehouse_are_invalid(
    tmp_path: Path, checkout: Path, file: str, content: str, says: str
) -> None:
    (checkout / "include" / "monitors" / file).write_text(content)
    with pytest.raises(SettingsError, match=rf"nothing is bundled while .*\n.*{says}"):
        write_bundle(tmp_path / "build", checkout)
    assert not (tmp_path / "build").exists()


def test_nothing_is_bundled_while_a_monitor_is_invalid(tmp_path: Path, checkout: Path) -> None:
    (checkout / "include" / "monitors" / "bad.yaml").write_text("treshold: 5\n")
    with pytest.raises(SettingsError, match=r"nothing is bundled while .*\n.*bad\.yaml: unknown setting 'treshold'"):
        write_bundle(tmp_path / "build", checkout)
    assert not (tmp_path / "build").exists()
