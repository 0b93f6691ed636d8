from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from docs.settings_table import PAGE, with_tables
from tests.conftest import ROOT


def test_the_settings_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "| `threshold` | `10` | an integer from 1 to 1000000 | yes |" in text
    assert with_tables(text) == text, 'run "make readme"'


def pins(file: str) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in Path(ROOT / file).read_text().splitlines()]
    required = [Requirement(line) for line in lines if line]
    return {each.name: str(each.specifier) for each in required}


@pytest.mark.parametrize("package", sorted(pins("requirements.txt")))
def test_both_requirements_files_pin_the_same_version(package: str) -> None:
    assert re.fullmatch(r"==[\d.]+", pins("requirements.txt")[package])
    assert pins("requirements-dev.txt")[package] == pins("requirements.txt")[package]
