"""What ``make bundle`` writes."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from deploy.bundle import write_bundle
from redshift_auth_alert.errors import SettingsError
from tests.conftest import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a bundle is made from, with other file times."""
    for folder in ("dags", "include", "plugins"):
        shutil.copytree(ROOT / folder, tmp_path / "checkout" / folder, copy_function=shutil.copyfile)
    shutil.copyfile(ROOT / "requirements.txt", tmp_path / "checkout" / "requirements.txt")
    return tmp_path / "checkout"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bundle_lies_as_mwaa_wants_it(tmp_path: Path) -> None:
    write_bundle(tmp_path / "build")
    found = contents(tmp_path / "build")
    assert {"plugins.zip", "requirements.txt", "manifest.json"} == {name for name in found if "/" not in name}
    assert {"dags/redshift_auth_failure_alert.py", "dags/include/sql/auth_failures.sql"} <= found.keys()
    assert not [name for name in found if "__pycache__" in name]


def test_plugins_zip_holds_the_contents_of_the_folder_and_not_the_folder(tmp_path: Path) -> None:
    write_bundle(tmp_path / "build")
    names = zipfile.ZipFile(tmp_path / "build" / "plugins.zip").namelist()
    assert {".airflowignore", "redshift_auth_alert_plugin.py", "redshift_auth_alert/settings.py"} <= set(names)
    assert not [name for name in names if name.startswith("plugins/") or "__pycache__" in name]


def test_the_same_files_give_the_same_bytes(tmp_path: Path, checkout: Path) -> None:
    write_bundle(tmp_path / "one")
    write_bundle(tmp_path / "two", checkout)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_changed_monitor_changes_its_hash_and_leaves_plugins_zip_alone(tmp_path: Path, checkout: Path) -> None:
    before = write_bundle(tmp_path / "build", checkout)
    with (checkout / "include" / "monitors" / "default.yaml").open("a") as monitor:
        monitor.write("threshold: 20\n")
    after = write_bundle(tmp_path / "build", checkout)
    assert {name for name in after if before[name] != after[name]} == {"dags/include/monitors/default.yaml"}
    assert json.loads((tmp_path / "build" / "manifest.json").read_text()) == after


def test_what_an_earlier_bundle_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / "build" / "dags").mkdir(parents=True)
    (tmp_path / "build" / "dags" / "old.py").touch()
    write_bundle(tmp_path / "build")
    assert "dags/old.py" not in contents(tmp_path / "build")


def test_nothing_is_bundled_while_a_monitor_is_invalid(tmp_path: Path, checkout: Path) -> None:
    (checkout / "include" / "monitors" / "bad.yaml").write_text("treshold: 5\n")
    with pytest.raises(SettingsError, match=r"nothing is bundled while .*\n.*bad\.yaml: unknown setting 'treshold'"):
        write_bundle(tmp_path / "build", checkout)
    assert not (tmp_path / "build").exists()
