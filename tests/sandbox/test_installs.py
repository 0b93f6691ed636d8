"""What make installs: each file of a package has the hash that is locked, or nothing is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.checkout import copy_checkout
from tests.locks import LOCKS, ROOT, requirements
from tests.sandbox.wheels import make_wheel

PINNED = re.compile(r"[a-z0-9-]+==[\w.]+( ; [\w.!=<>'* -]+)?( +--hash=sha256:[0-9a-f]{64})+")
ON_MWAAS_PYTHON = pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="MWAA runs Python 3.12")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_each_line_of_a_lock_is_a_package_a_version_and_hashes(lock: Path) -> None:
    found = requirements(lock)
    assert found
    assert [line for line in found if not PINNED.fullmatch(line)] == []


def test_the_images_lists_may_be_in_a_relative_folder() -> None:
    command = ["make", "-n", "-o", ".venv/.ready", "lock-images", "IMAGES=images"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"-c {ROOT}/images/airflow-$airflow-constraints.txt" in shown
    assert f" {ROOT}/images/airflow-$airflow-image-packages.txt" in shown


def changed(line: str) -> str:
    """The same line of a lock, with the hash of another file."""
    return re.sub("sha256:.{8}", "sha256:00000000", line)


def without_hash(line: str) -> str:
    return line.split(" ", maxsplit=1)[0] + "\n"


@dataclass(frozen=True)
class Index:
    """A checkout, and an index with what it installs: the package in-house, and a package uv that starts the real one.

    ``uv`` and ``in_house`` are their lines for a lock.
    """

    checkout: Path
    env: dict[str, str]
    uv: str
    in_house: str

    def lock(self, file: str, *lines: str) -> None:
        path = self.checkout / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["make", *arguments, f"PYTHON={sys.executable}"]
        return subprocess.run(command, cwd=self.checkout, env=self.env, capture_output=True, text=True, check=False)


@pytest.fixture
def index(machine: dict[str, str], tmp_path: Path) -> Index:
    checkout = copy_checkout(tmp_path / "checkout")
    folder = tmp_path / "index"
    folder.mkdir()
    offline = {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    uv = make_wheel(folder, "uv", command=f'exec {Path(sys.executable).parent / "uv"} "$@"')
    return Index(checkout, machine | offline, uv, make_wheel(folder, "in-house"))


def installed(environment: Path) -> bool:
    return any(environment.glob("lib/*/site-packages/in_house-1.0.dist-info"))


@pytest.fixture
def fresh(index: Index) -> Index:
    (index.checkout / ".venv").unlink()
    return index


def test_make_installs_what_is_locked(fresh: Index) -> None:
    fresh.lock("requirements-dev.txt", fresh.in_house, fresh.uv)
    done = fresh.make(".venv/.ready")
    assert (done.returncode, installed(fresh.checkout / ".venv")) == (0, True), done.stderr


def test_make_refuses_a_uv_that_has_changed(fresh: Index) -> None:
    fresh.lock("requirements-dev.txt", fresh.in_house, changed(fresh.uv))
    done = fresh.make(".venv/.ready")
    assert done.returncode
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not (fresh.checkout / ".venv" / "bin" / "uv").exists()


def test_make_refuses_a_package_that_has_changed(fresh: Index) -> None:
    fresh.lock("requirements-dev.txt", changed(fresh.in_house), fresh.uv)
    done = fresh.make(".venv/.ready")
    assert done.returncode
    assert "Hash mismatch for `in-house==1.0`" in done.stderr
    assert not installed(fresh.checkout / ".venv")


@ON_MWAAS_PYTHON
def test_make_installs_what_an_image_has(index: Index) -> None:
    index.lock("deploy/airflow/0.1/image.txt", index.in_house)
    index.lock("deploy/airflow/0.1/tests.txt", index.in_house)
    done = index.make("-o", ".venv/.ready", ".venv-0.1/.ready")
    assert (done.returncode, installed(index.checkout / ".venv-0.1" / "image")) == (0, True), done.stderr


@ON_MWAAS_PYTHON
@pytest.mark.parametrize("kind", ["image", "tests"])
@pytest.mark.parametrize(
    ("spoiled", "says"),
    [(changed, "Hash mismatch for `in-house==1.0`"), (without_hash, "all requirements must have a hash")],
    ids=["another", "none"],
)
def test_make_refuses_a_package_of_an_image_with_another_hash_or_none(
    index: Index, kind: str, spoiled: Callable[[str], str], says: str
) -> None:
    index.lock("deploy/airflow/0.1/image.txt")
    index.lock("deploy/airflow/0.1/tests.txt")
    index.lock(f"deploy/airflow/0.1/{kind}.txt", spoiled(index.in_house))
    done = index.make("-o", ".venv/.ready", ".venv-0.1/.ready")
    assert done.returncode
    assert says in done.stderr
