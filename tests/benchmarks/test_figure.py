"""How the benchmarks measure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.figure import output_of

FAILS = "import sys; print('almost there'); sys.exit('no such table')"


def test_what_a_child_prints_is_returned(capfd: pytest.CaptureFixture[str]) -> None:
    assert output_of([sys.executable, "-c", "print(1)"]) == "1\n"
    assert capfd.readouterr().out == ""


def test_what_a_child_that_fails_has_printed_and_its_error_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        output_of([sys.executable, "-c", FAILS])
    assert capfd.readouterr() == ("almost there\n", "no such table\n")
