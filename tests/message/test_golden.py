"""The mails of the attacks in ``attacks.py``, as a subscriber reads them; ``make golden`` writes them anew."""

from __future__ import annotations

import pytest

from tests.message.attacks import GOLDEN, MAILS, written


@pytest.mark.parametrize("name", MAILS)
def test_the_mail_reads_as_before(name: str) -> None:
    assert written(MAILS[name]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8"), 'run "make golden", look at it'


def test_there_is_no_mail_of_an_attack_that_is_gone() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(MAILS)


@pytest.mark.parametrize("name", MAILS)
def test_no_group_takes_more_than_ten_lines(name: str) -> None:
    blocks = MAILS[name].body.split("\n\n")
    groups = [block for block in blocks if "\n    " in block]
    assert max((len(block.splitlines()) for block in groups), default=0) <= 10


@pytest.mark.parametrize("name", MAILS)
def test_no_line_but_the_pages_address_is_longer_than_78_columns(name: str) -> None:
    assert [line for line in MAILS[name].body.splitlines() if len(line) > 78 and not line.startswith("Page ")] == []
