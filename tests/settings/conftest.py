from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from redshift_auth_alert.settings.monitors import load_monitors
from tests.conftest import TOPIC

VALID = f"environment: test\nsns_topic_arn: {TOPIC}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one valid monitor file."""
    (tmp_path / "default.yaml").write_text(VALID)
    return tmp_path


@pytest.fixture
def refused(folder: Path) -> Callable[[str], str]:
    """Put a line into a monitor file of its own, and return why that file is refused while the other one loads."""

    def refuse(line: str) -> str:
        rest = [each for each in VALID.splitlines() if each.split(":")[0] != line.split(":", maxsplit=1)[0]]
        (folder / "bad.yaml").write_text("\n".join([*rest, line]))
        monitors, problems = load_monitors(folder)
        assert [monitor.dag_id for monitor in monitors] == ["redshift_auth_failure_alert"]
        (problem,) = problems
        file, _, reason = problem.partition(": ")
        assert file == str(folder / "bad.yaml")
        return reason

    return refuse
