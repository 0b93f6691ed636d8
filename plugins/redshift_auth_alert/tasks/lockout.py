"""Few refused sign-ins, however many runs and monitors share a user: Redshift locks a user after some in a row.

They take turns, and what all of them know of refusals lies in an Airflow Variable for each user of a warehouse.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from airflow.sdk import Variable

from redshift_auth_alert.detection.interval import format_utc
from redshift_auth_alert.tasks.remedies import is_refused
from redshift_auth_alert.tasks.turn import turn, variable_key

log = logging.getLogger(__name__)

_SOON, _DAY = timedelta(minutes=30), timedelta(days=1)


class SignInNotTriedError(Exception):
    """The user was refused too often to be tried again now. Explained as the refused sign-in that it stands for."""

    sqlstate = "28000"


@contextmanager
def guarded_sign_in(user: str, warehouse: str, *, lockout_after: int | None) -> Iterator[None]:
    """Sign in within the block: one at a time, and not where this user was refused too often.

    ``warehouse`` is its host and port. It locks a user after ``lockout_after`` failures in a row, or never where that
    is None. Raises SignInNotTriedError, which says when it is tried again and how to have it tried at once.
    """
    key = variable_key("sign_in", f"{user}_at_{warehouse}")
    with turn(f"{key}_turn"):
        refused = [datetime.fromisoformat(at) for at in json.loads(Variable.get(key, default=None) or "[]")]
        _check(refused, lockout_after, key)
        try:
            yield
        except Exception as error:
            if is_refused(error):
                _keep(refused, key)
            raise
        if refused:
            Variable.delete(key)


def _keep(refused: list[datetime], key: str) -> None:
    now = datetime.now(UTC)
    kept = [at.isoformat() for at in (*refused, now) if at > now - _DAY]
    try:
        Variable.set(key, json.dumps(kept), description="Refused sign-ins; delete it to try again at once")
    except Exception:  # it must not take the place of the refusal, which alone is not tried again
        log.warning("The refused sign-in is not recorded in the Airflow Variable %s", key, exc_info=True)


def _check(refused: list[datetime], lockout_after: int | None, key: str) -> None:
    limits, locks = [(3, _SOON)], ""
    if lockout_after:  # of the tries in a row that do not lock the user, the last is left to who looks for the cause
        limits.append((max(1, lockout_after - 2), _DAY))
        locks = f", and Redshift locks a user after {lockout_after} times in a row (lockout_after)"
    now = datetime.now(UTC)
    recent = [at for at in refused if at > now - _DAY]
    until = max((recent[-most] + within for most, within in limits if len(recent) >= most), default=now)
    if until > now:
        times = "once" if len(recent) == 1 else f"{len(recent)} times"
        raise SignInNotTriedError(
            f"not tried, as it was refused {times} since {format_utc(recent[0])} UTC{locks}: tried again after "
            f"{format_utc(until)} UTC, or at once if you delete the Airflow Variable {key}"
        )
