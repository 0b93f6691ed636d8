"""What Airflow's pages show as the documentation of a monitor's DAG."""

from __future__ import annotations

from redshift_auth_alert.message import words
from redshift_auth_alert.settings.english import counted
from redshift_auth_alert.settings.monitors import Monitor

_PAGE = """\
Reports groups that failed to authenticate to Amazon Redshift too often.

| this monitor | |
| --- | --- |
{settings}

One run evaluates one interval:

| task | what it does |
| --- | --- |
| `query_auth_failures` | measures the connection log with one SQL statement |
| `check_threshold` | judges what was found, and chooses the branch |
| `publish_alert` | publishes the alert to the topic |
| `require_coverage` | fails where an alert was published, but the log did not show all warehouses |
| `no_alert` | marks a run that had nothing to report |
| `report_failure` | reports to the topic which of them failed and why, then fails too |

| outcome | meaning | what to do |
| --- | --- | --- |
| run green, `publish_alert` green | an alert was published | read it: `check_threshold` logs each group |
| run green, `publish_alert` pink (skipped) | nothing to report: nobody breached, or every breach is ignored or already reported; or a dry run, a check of the set-up (its message is published), or with `when_unseen: warn` an interval that the log does not show | nothing; `check_threshold` logs which |
| run red | the interval was not evaluated, or the alert could not be published; the failure is reported to the topic | read the error in the log of the red task, fix it, then clear `query_auth_failures` and the tasks after it, or `publish_alert` if only that failed |
| a task yellow (up for retry) | the warehouse or the topic was out of reach; the task tries again by itself, a publishing one for two hours | nothing yet |

*Trigger* evaluates another interval or other settings; its form explains each of them. The package's runbook,
`docs/runbook.md`, says for each message what it means and what to do.
"""


def headline(monitor: Monitor) -> str:
    """Return in one line what the monitor alerts on."""
    settings = monitor.settings
    return f"Alerts on {words.reached(settings)} within {counted(settings.window_minutes, 'minute')}"


def describe(monitor: Monitor) -> str:
    """Return the page as Markdown: what the monitor watches, and what its outcomes mean."""
    settings = monitor.settings
    always = {name: getattr(settings, name) for name in ("source", "threshold", "window_minutes", "schedule")}
    shown = {"file": monitor.file.name} | always | settings.model_dump(mode="json", exclude_defaults=True)
    rows = (f"| `{name}` | {_cell(value)} |" for name, value in shown.items())
    return _PAGE.format(settings="\n".join(rows))


def _cell(value: object) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "`" + text.replace("|", "\\|").replace("`", "'").replace("\n", " ") + "`"
