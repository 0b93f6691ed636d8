"""Each test that docs/promises.md names is there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "promises.md").read_text())


def test_it_names_tests() -> None:
    assert NAMED


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_of_a_promise_is_there(file: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / file).read_text()
