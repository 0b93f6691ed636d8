"""Turns: of all tasks that ask for one by its name, one at a time goes on.

A turn is an Airflow Variable. Airflow cannot change one atomically, so tasks take turns as in Fischer's algorithm:
write who is next, wait until whoever wrote at the same time must have written too, and go on if one's own name is still
there. Whoever was slower to write than the others wait may have written over the name of a task that holds the turn,
and waits until that one must be done.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from airflow.exceptions import AirflowException
from airflow.sdk import Variable

log = logging.getLogger(__name__)

_WRITTEN = 1.0  # seconds from looking for a turn until one's name is written
_HELD = 20.0  # seconds for which a turn is held
# Whoever is named for longer was killed: time for a slow write, for the wait after it, and for the turn.
_KEPT = timedelta(seconds=60)
_LONGEST_WAIT = 300.0  # seconds, well before Airflow ends the task
_LONGEST_KEY = 245  # so that a turn's, which has five characters more, is not longer than Airflow's 250


def variable_key(what: str, owner: str) -> str:
    """Return the key of the Variable that holds ``what`` of ``owner``, however long the owner's name is."""
    prefix = f"redshift_auth_alert_{what}_"
    key = prefix + re.sub(r"[^A-Za-z0-9_.-]", "_", owner)
    return key if len(key) <= _LONGEST_KEY else prefix + hashlib.sha256(key.encode()).hexdigest()


@contextmanager
def turn(name: str) -> Iterator[None]:
    """Wait for the turn ``name``, and hold it for the block, which must end within 20 seconds.

    Raises AirflowException after 5 minutes: on 3.0.6 a Variable that cannot be written is only a line in the log.
    """
    me, since = uuid.uuid4().hex, time.monotonic()
    while True:
        begin = time.monotonic()
        if begin - since > _LONGEST_WAIT:
            raise AirflowException(
                f"no turn within {_LONGEST_WAIT / 60:.0f} minutes: other tasks hold the Airflow Variable {name}, or it "
                "cannot be written"
            )
        if _holder(name) is None:
            record = {"turn": me, "since": datetime.now(UTC).isoformat()}
            Variable.set(name, json.dumps(record), description="A task's turn; gone within a minute")
            took = time.monotonic() - begin
            time.sleep(_WRITTEN if took < _WRITTEN else _HELD)
            if took < _HELD and _holder(name) == me:
                break
        time.sleep(random.uniform(0.5, 2.5) * _WRITTEN)  # noqa: S311 -- no secret
    try:
        yield
    finally:
        _give_back(name, me)


def _give_back(name: str, me: str) -> None:
    try:
        if _holder(name) == me:  # else another task holds the turn by now
            Variable.delete(name)
    except Exception:  # what was done within the turn is done, and it ends by itself
        log.warning("The Airflow Variable %s is not deleted: other tasks wait for it for a minute", name, exc_info=True)


def _holder(name: str) -> str | None:
    try:
        record = json.loads(Variable.get(name, default=None) or "null")
        is_kept = datetime.fromisoformat(record["since"]) >= datetime.now(UTC) - _KEPT
        return str(record["turn"]) if is_kept else None
    except (ValueError, TypeError, LookupError):  # there is none, or none that can be read
        return None
