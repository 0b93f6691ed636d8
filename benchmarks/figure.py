"""A measured figure, and how to measure one: rounds interleaved, medians."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 7


@dataclass(frozen=True)
class Figure:
    """A measured value and the most, or with ``at_least`` the least, that it may be."""

    what: str
    value: float
    target: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the value keeps within its target."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    def __str__(self) -> str:
        verdict = "ok" if self.met else "MISSED"
        bound = "at least" if self.at_least else "at most"
        return f"{verdict:<7}{self.what:<66}{self.value:>9,.2f} {self.unit:<5} ({bound} {self.target:,.2f})"


def medians(*works: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Wall seconds of each of ``works``: the medians of interleaved rounds, after one that warms up."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for work, taken in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            taken.append(time.perf_counter() - began)
    return [statistics.median(taken[1:]) for taken in times]


def output_of(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run a command in the checkout and return what it prints; where it fails, that is shown beside its errors."""
    done = subprocess.run(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout, end="", flush=True)
        done.check_returncode()
    return done.stdout
