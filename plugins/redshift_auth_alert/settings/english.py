"""How errors and messages count and list things."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, thing: str) -> str:
    """Write a number of things, such as ``1 line`` or ``2,000 lines``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def listed(named: Sequence[str], number: int) -> str:
    """Write those of ``number`` things that are ``named``, and how many more there are."""
    return ", ".join(named) + (f" and {number - len(named):,} more" if number > len(named) else "")
