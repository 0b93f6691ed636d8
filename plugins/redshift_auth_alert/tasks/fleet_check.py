"""The check of a fleet: whether the log shows each warehouse that there should be."""

from __future__ import annotations

from redshift_auth_alert.detection.coverage import escaped_name, expected_warehouses
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.message.setup import Outcome
from redshift_auth_alert.settings.english import listed

_NAMED = 20


def check_warehouses(seen: list[str], run: Evaluation) -> tuple[Outcome, str]:
    """Compare the warehouses that the scanned days show with those that the settings name."""
    expected = expected_warehouses(run)
    found = f"{len(seen):,} in the scanned days: {_listed(seen)}"
    if missing := [name for name in expected if name not in seen]:
        return "not ok", (
            f"missing: {_listed(missing)}. Turn publishing on there, or correct cluster or expect_warehouses; {found}"
        )
    if not expected:
        return "not checked", (
            f"{found}. Name those that must be there as expect_warehouses: without it, one that stops is reported only "
            "as long as the scanned days still show it"
        )
    more = [name for name in seen if name not in expected]
    return "ok", found + (f". Evaluated, but not reported if they stop: {_listed(more)}" if more else "")


def _listed(warehouses: list[str]) -> str:
    return listed([escaped_name(name) for name in warehouses[:_NAMED]], len(warehouses))
