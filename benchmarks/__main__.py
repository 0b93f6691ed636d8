"""``python -m benchmarks [NAME ...]``: one line per figure with its target; exit status 1 where one is missed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks import detection, fleet, history, monitors, page, statement, tasks
from benchmarks.figure import Figure, output_of


def demo() -> Iterator[Figure]:
    """Wall time of ``make demo`` on this machine as it is now."""
    yield Figure("make demo", _wall_seconds("demo"), 60, "s")


def test() -> Iterator[Figure]:
    """Wall time of ``make test`` on this machine as it is now."""
    yield Figure("make test", _wall_seconds("test"), 600, "s")


def _wall_seconds(target: str) -> float:
    began = time.monotonic()
    output_of(["make", "-s", target])
    return time.monotonic() - began


FIGURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "import": tasks.imports,
    "monitors": monitors.one_pass,
    "warehouses": monitors.each_warehouse,
    "scheduled": monitors.scheduled,
    "statement": statement.against_the_lambda,
    "growth": statement.growth,
    "elastalert": detection.against_elastalert,
    "check": tasks.check_against_the_lambda,
    "million": tasks.a_million_hosts,
    "siem": tasks.a_thousand_findings,
    "history": history.backfill,
    "page": page.first_paint,
    "fleet": fleet.growth,
    "demo": demo,
    "test": test,
}


def main() -> int:
    """Measure the figures asked for, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}")
    names = parser.parse_args().names
    if unknown := set(names) - set(FIGURES):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    met = True
    for name, measure in FIGURES.items():
        if not names or name in names:
            for figure in measure():
                print(figure, flush=True)
                met = met and figure.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
