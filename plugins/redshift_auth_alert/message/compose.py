"""From an alert or a failure to the message that is published, in the monitor's form."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from redshift_auth_alert.message import chat, document, text
from redshift_auth_alert.message.alert import Alert, Message
from redshift_auth_alert.message.failure import Failure

# SNS takes 262,144 bytes, of a message as it is sent: wrapped into JSON, each non-ASCII character as an escape.
MESSAGE_LIMIT = 250_000
_FORMS = {"text": text, "json": document, "chat": chat}


def compose_alert(alert: Alert) -> Message:
    """Write the alert in the form that the run's settings name."""
    write = _FORMS[alert.run.settings.message_format].write
    return Message(alert.subject, write(_cut_to_fit(alert, write)), alert.attributes)


def compose_document(alert: Alert) -> dict[str, Any]:
    """Return what the json form says, for programs, whatever form is published."""
    return document.alert_document(_cut_to_fit(alert, document.write))


def compose_failure(failure: Failure, message_format: str) -> Message:
    """Write the failure in the form ``message_format``."""
    return Message(failure.subject, _FORMS[message_format].write_failure(failure), failure.attributes)


def _cut_to_fit(alert: Alert, write: Callable[[Alert], str]) -> Alert:
    """Name as many groups as fit into SNS's limit, the worst first."""

    def sent_size(number: int) -> int:
        return len(json.dumps(write(replace(alert, named=alert.named[:number]))))

    if sent_size(len(alert.named)) <= MESSAGE_LIMIT:
        return alert
    fitting = bisect_right(range(len(alert.named) + 1), MESSAGE_LIMIT, key=sent_size)
    return replace(alert, named=alert.named[: max(fitting - 1, 0)])
