"""Few refused sign-ins, however many runs and monitors share a user: Redshift locks a user after five in a row.

They take turns, and what all of them know of refusals lies in an Airflow Variable for each user of a warehouse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from airflow.sdk import Variable

from redshift_auth_alert.detection.interval import format_utc
from redshift_auth_alert.tasks.remedies import is_refused
from redshift_auth_alert.tasks.turn import turn

# So many refused sign-ins in a row are allowed within that time; the second limit ends below Redshift's own of five.
LIMITS = ((3, timedelta(minutes=30)), (4, timedelta(days=1)))


class SignInNotTriedError(Exception):
    """The user was refused too often to be tried again now. Explained as the refused sign-in that it stands for."""

    sqlstate = "28000"


@contextmanager
def guarded_sign_in(user: str, warehouse: str) -> Iterator[None]:
    """Sign in within the block: one at a time, and not where this user was refused too often.

    ``warehouse`` is its host and port. Raises SignInNotTriedError, which says when it is tried again and how to have it
    tried at once.
    """
    key = "redshift_auth_alert_sign_in_" + re.sub(r"[^A-Za-z0-9.-]", "_", f"{user}_at_{warehouse}")
    with turn(f"{key}_turn"):
        refused = [datetime.fromisoformat(at) for at in json.loads(Variable.get(key, default=None) or "[]")]
        _check(refused, key)
        try:
            yield
        except Exception as error:
            if is_refused(error):
                now = datetime.now(UTC)
                kept = [at.isoformat() for at in (*refused, now) if at > now - LIMITS[-1][1]]
                Variable.set(key, json.dumps(kept), description="Refused sign-ins; delete it to try again at once")
            raise
        if refused:
            Variable.delete(key)


def _check(refused: list[datetime], key: str) -> None:
    now = datetime.now(UTC)
    for most, within in LIMITS:
        recent = [at for at in refused if at > now - within]
        if len(recent) >= most:
            raise SignInNotTriedError(
                f"not tried, as it was refused {len(recent)} times since {format_utc(recent[0])} UTC, and Redshift "
                f"locks a user after 5 times in a row: tried again after {format_utc(recent[-most] + within)} UTC, or "
                f"at once if you delete the Airflow Variable {key}"
            )
