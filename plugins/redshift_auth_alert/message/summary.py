"""What each run found, in a few facts, for the page: quiet runs, dry runs and unseen intervals too."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Verdict
from redshift_auth_alert.message.document import (
    VERSION,
    count_groups,
    describe_coverage,
    describe_interval,
    describe_settings,
)

LIMIT = 2_000  # bytes of JSON: Airflow's database keeps one for each run
WORST = 10
_REASON_LIMIT = 700  # characters: of a fleet it may name 16 warehouses


def summarise(verdict: Verdict, run: Evaluation) -> dict[str, Any]:
    """Return the summary of a run; ``worst`` names as many of the worst groups as fit into LIMIT, at most WORST."""
    coverage = replace(verdict.coverage, reason=textwrap.shorten(verdict.coverage.reason, _REASON_LIMIT))
    if coverage.fleet:  # its gaps may be many; the reason names the first
        coverage = replace(coverage, fleet=replace(coverage.fleet, gaps=()))
    summary: dict[str, Any] = {
        "version": VERSION,
        "monitor": run.monitor,
        "environment": run.settings.environment,
        "warehouse": run.warehouse,
        "run": {"type": run.run_type, "dry_run": run.settings.dry_run},
        "interval": describe_interval(run.interval),
        "source": coverage.source,
        "settings": describe_settings(run),
        "coverage": describe_coverage(coverage),
        "failures": verdict.failures,
        "groups": count_groups(verdict.totals),
        "worst": [],
    }
    for breach in verdict.breaches[:WORST]:
        longer = {**summary, "worst": [*summary["worst"], _name(breach)]}
        if len(json.dumps(longer)) > LIMIT:
            break
        summary = longer
    return summary


def _name(breach: Breach) -> dict[str, Any]:
    return {
        "group": breach.group,
        "outcome": breach.outcome,
        "failures": breach.failures,
        "critical": breach.critical,
    }
