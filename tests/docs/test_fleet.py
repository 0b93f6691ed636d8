"""docs/fleet.md: its files load as it says, one after the other in one folder, and its messages are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from tests.conftest import ROOT
from tests.docs.documents import Block, blocks

PAGE = ROOT / "docs" / "fleet.md"
FILES = [block for block in blocks("yaml") if block.page == PAGE]
SHOWN = [block.text for block in blocks("") if block.page == PAGE]


def name_of(block: Block) -> str:
    """The file that a block is, as its first line says."""
    named = re.match(r"# (include/monitors/\w+\.yaml)\n", block.text)
    assert named, block
    return named[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The monitors of somebody who stands in a checkout."""
    (tmp_path / "include" / "monitors").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return Path("include/monitors")


def load(folder: Path, number: int) -> list[Monitor]:
    """The monitors of a reader who wrote the files of the page up to this one."""
    for block in FILES[: number + 1]:
        Path(name_of(block)).write_text(block.text)
    monitors, problems = load_monitors(folder)
    assert problems == []
    return monitors


@pytest.mark.parametrize("number", [number for number, block in enumerate(FILES) if "_shared" not in name_of(block)])
def test_each_file_is_valid_beside_those_before_it(folder: Path, number: int) -> None:
    loaded = {monitor.dag_id for monitor in load(folder, number)}
    stem, entries = Path(name_of(FILES[number])).stem, yaml.safe_load(FILES[number].text).get("warehouses", [])
    assert {f"redshift_auth_failure_alert__{stem}__{entry['name']}" for entry in entries} <= loaded


def test_it_shows_what_make_validate_prints(folder: Path) -> None:
    printed = [str(monitor) for monitor in load(folder, 1) if monitor.file.name == "fleet.yaml"]
    assert SHOWN[0].splitlines() == printed


def test_lab_ignores_both(folder: Path) -> None:
    lab = next(monitor for monitor in load(folder, 2) if monitor.settings.warehouse == "lab")
    assert [entry.remote_host for entry in lab.settings.ignore] == ["192.0.2.0/24", "198.51.100.7"]


def test_the_shared_threshold_is_in_force_where_no_other_is_set(folder: Path) -> None:
    found = {monitor.settings.warehouse: monitor.settings.threshold for monitor in load(folder, 4)}
    assert (found["sales"], found["ops"], found["lab"]) == (12, 20, 12)


def test_it_shows_the_message_of_an_invalid_entry(folder: Path) -> None:
    load(folder, 4)
    fleet = folder / "fleet.yaml"
    fleet.write_text("warehouses:\n- {name: sales}\n- {name: ops, threshold: 0}\n")
    monitors, problems = load_monitors(folder)
    assert "sales" in [monitor.settings.warehouse for monitor in monitors]
    assert problems == SHOWN[1].splitlines()
