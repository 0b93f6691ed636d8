from __future__ import annotations

import re

import pytest

from docs.settings_table import PAGE, with_tables
from tests.locks import ROOT, pins


def test_the_settings_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "| `threshold` | `10` | an integer from 1 to 1000000 | yes |" in text
    assert with_tables(text) == text, 'run "make settings-page"'


@pytest.mark.parametrize("pin", sorted(pins(ROOT / "requirements.txt")))
def test_both_requirements_files_pin_the_same_version(pin: str) -> None:
    assert re.fullmatch(r"[a-z-]+==[\d.]+", pin)
    assert pin in pins(ROOT / "requirements-dev.txt")
