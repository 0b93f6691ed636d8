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
    return Message(alert.subject, _write(alert, _FORMS[alert.run.settings.message_format].write), alert.attributes)


def compose_document(alert: Alert) -> dict[str, Any]:
    """Return what the json form says, for programs, whatever form is published."""
    return dict(json.loads(_write(alert, document.write)))


def compose_failure(failure: Failure, message_format: str) -> Message:
    """Write the failure in the form ``message_format``."""
    return Message(failure.subject, _FORMS[message_format].write_failure(failure), failure.attributes)


def _write(alert: Alert, write: Callable[[Alert], str]) -> str:
    """Write the alert with as many groups as fit into SNS's limit, the worst first."""
    whole = write(alert)
    if _sent_size(whole) <= MESSAGE_LIMIT:
        return whole

    def named(number: int) -> str:
        return write(replace(alert, named=alert.named[:number]))

    fitting = bisect_right(range(len(alert.named)), MESSAGE_LIMIT, key=lambda number: _sent_size(named(number)))
    return named(max(fitting - 1, 0))


def _sent_size(body: str) -> int:
    return len(json.dumps(body))
