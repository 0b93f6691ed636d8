"""From an alert or a failure to the message that is published, in the monitor's form."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from redshift_auth_alert.message import chat, document, ocsf, text
from redshift_auth_alert.message.alert import Alert, Message
from redshift_auth_alert.message.failure import Failure
from redshift_auth_alert.message.setup import SetupReport

# SNS takes 262,144 bytes, of a message as it is sent: wrapped into JSON, each non-ASCII character as an escape.
# The rest is for the subject and the attributes.
MESSAGE_LIMIT = 256_000
# What goes to XCom keeps to 256 KB.
DOCUMENT_LIMIT = 260_000
_FORMS = {"text": text, "json": document, "chat": chat, "ocsf": ocsf}


def compose_alert(alert: Alert) -> Message:
    """Write the alert in the form that the run's settings name."""
    form = _FORMS[alert.run.settings.message_format]
    body = _write(alert, form.write, lambda body: len(json.dumps(body)), MESSAGE_LIMIT)
    return Message(alert.subject, body, alert.attributes)


def compose_document(alert: Alert) -> dict[str, Any]:
    """Return what the json form says, for programs, whatever form is published."""
    written = _write(alert, document.write, lambda body: len(json.dumps(json.loads(body))), DOCUMENT_LIMIT)
    return dict(json.loads(written))


def compose_failure(failure: Failure, message_format: str) -> Message:
    """Write the failure in the form ``message_format``."""
    return Message(failure.subject, _FORMS[message_format].write_failure(failure), failure.attributes)


def compose_setup_report(report: SetupReport) -> Message:
    """Write what a check of the set-up found, in the form that the run's settings name."""
    return Message(report.subject, _FORMS[report.run.settings.message_format].write_setup(report), report.attributes)


def _write(alert: Alert, write: Callable[[Alert], str], size: Callable[[str], int], limit: int) -> str:
    """Write the alert with as many groups as the limit of its size allows, the worst first."""
    whole = write(alert)
    if size(whole) <= limit:
        return whole

    def named(number: int) -> str:
        return write(replace(alert, named=alert.named[:number]))

    fitting = bisect_right(range(len(alert.named)), limit, key=lambda number: size(named(number)))
    return named(max(fitting - 1, 0))
