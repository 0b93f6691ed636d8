"""The fenced blocks of the project's pages.

``sh`` is run by a test, ``sh needs-aws`` cannot be, ``sh long`` is what CI or a person runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; ``kind`` is what stands behind the fence."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        """Name the page and the line, as a test's id."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*kinds: str) -> list[Block]:
    """Return the blocks of these kinds; all of them where none is named."""
    return [block for page in PAGES for block in _blocks(page) if not kinds or block.kind in kinds]


def commands(*kinds: str) -> list[str]:
    """Return the commands of such blocks, each on one line."""
    texts = [block.text.replace("\\\n", " ") for block in blocks(*kinds)]
    return [line for text in texts for line in text.splitlines()]


def anchors(page: Path) -> set[str]:
    """Return what a link may name behind the ``#`` of a page: its headings as GitHub writes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}


def _blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    start, kind, lines = 0, "", list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
        elif start:
            found.append(Block(page, start, kind, "\n".join(lines)))
            start = 0
        else:
            start, kind, lines = number, line[3:], []
    assert not start, f"{page}:{start}: a fence that is not closed"
    return found
