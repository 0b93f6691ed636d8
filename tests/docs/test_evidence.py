from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.conftest import ROOT

LINES = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8").splitlines()


def tables(lines: list[str]) -> list[list[list[str]]]:
    """The cells of each row of each table, without the rule below its head."""
    found: list[list[list[str]]] = []
    for before, line in pairwise(["", *lines]):
        if not line.startswith("|"):
            continue
        if not before.startswith("|"):
            found.append([])
        if not re.fullmatch(r"[| -]+", line):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


LEGEND, *CLAIMS = tables(LINES)
WORDS = {"documented", "sandbox", "unproven"}
ROWS = [row for table in CLAIMS for row in table[1:]]


def test_the_page_defines_the_words_of_proof() -> None:
    assert {word for word, _ in LEGEND[1:]} == WORDS


@pytest.mark.parametrize("table", CLAIMS, ids=lambda table: table[1][0][:40])
def test_each_table_has_the_same_head(table: list[list[str]]) -> None:
    assert table[0] == ["claim", "source", "proven here?"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_each_claim_has_a_source_and_a_word_of_proof(row: list[str]) -> None:
    claim, source, proof = row
    assert claim
    assert source
    assert proof in WORDS


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] != "unproven"], ids=lambda row: row[0][:60])
def test_what_is_not_unproven_names_an_address(row: list[str]) -> None:
    assert re.search(r"\]\(https://", row[1])


@pytest.mark.parametrize("address", sorted(set(re.findall(r"\]\(([^)]*)\)", "\n".join(LINES)))))
def test_each_address_is_a_whole_one(address: str) -> None:
    assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+/[\w./-]+", address)
