"""What make installs from npm has the hash that is locked, and a machine without node learns what it leaves out."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.commands.checkout import copy_checkout
from tests.grammar.conftest import HERE, require

STAMP = "tests/grammar/node_modules/.ready"


def test_each_package_of_the_lock_has_a_hash() -> None:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    del packages[""]  # the project itself
    assert {"node_modules/dt-sql-parser", "node_modules/node-sql-parser"} <= packages.keys()
    hashes = {name: package.get("integrity", "") for name, package in packages.items()}
    assert [name for name, value in hashes.items() if not re.fullmatch(r"sha512-[\w+/]{86}==", value)] == []


def test_the_lock_names_no_registry() -> None:
    assert "://" not in (HERE / "package-lock.json").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose lock names one package, in-house, which has a script that npm would run at installation."""
    checkout = copy_checkout(tmp_path / "checkout")
    folder = checkout / "tests" / "grammar"
    (folder / "package").mkdir(parents=True)
    package = {"name": "in-house", "version": "1.0.0", "scripts": {"install": "touch ran"}}
    (folder / "package" / "package.json").write_text(json.dumps(package))
    with tarfile.open(folder / "in-house.tgz", "w:gz") as archive:
        archive.add(folder / "package", "package")
    shutil.copy2(HERE / ".npmrc", folder)
    wanted = {"dependencies": {"in-house": "file:in-house.tgz"}}
    digest = base64.b64encode(hashlib.sha512((folder / "in-house.tgz").read_bytes()).digest()).decode()
    locked = {"version": "1.0.0", "resolved": "file:in-house.tgz", "integrity": f"sha512-{digest}"}
    lock = {"lockfileVersion": 3, "packages": {"": wanted, "node_modules/in-house": locked}}
    (folder / "package.json").write_text(json.dumps(wanted))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return checkout


def make(checkout: Path, stamp: str = STAMP, **env: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("make") or "make", "-o", ".venv/.ready", stamp]
    return subprocess.run(command, cwd=checkout, env=os.environ | env, capture_output=True, text=True, check=False)


def test_make_installs_what_is_locked_and_runs_none_of_its_scripts(checkout: Path) -> None:
    require("npm")
    done = make(checkout)
    assert done.returncode == 0, done.stderr
    installed = checkout / "tests" / "grammar" / "node_modules" / "in-house"
    assert [path.name for path in installed.iterdir()] == ["package.json"]


def test_make_refuses_a_package_that_has_changed(checkout: Path) -> None:
    require("npm")
    lock = checkout / "tests" / "grammar" / "package-lock.json"
    lock.write_text(re.sub("sha512-.{8}", "sha512-AAAAAAAA", lock.read_text()))
    done = make(checkout)
    assert done.returncode
    assert "EINTEGRITY" in done.stderr
    assert not (checkout / STAMP).exists()


@pytest.mark.parametrize(
    ("part", "left_out"),
    [
        ("grammar", "the tests of the SQL's grammar that need node"),
        ("page", "the tests of the page's accessibility and chart library"),
    ],
)
def test_without_npm_make_goes_on_and_says_what_is_left_out(
    checkout: Path, tmp_path: Path, part: str, left_out: str
) -> None:
    (checkout / "tests" / part).mkdir(exist_ok=True)
    for name in ("package-lock.json", ".npmrc"):
        (checkout / "tests" / part / name).touch()
    done = make(checkout, f"tests/{part}/node_modules/.ready", PATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, f"No npm: {left_out} are skipped.\n")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)], ids=["here", "in CI"]
)
def test_without_node_a_test_is_skipped_but_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="needs node"):
        require("node")
