"""Turns: of all tasks that ask for one by its name, one at a time goes on.

A turn is an Airflow Variable. Airflow cannot change one atomically, so tasks take turns as in Fischer's algorithm:
write who is next, wait until whoever wrote at the same time must have written too, and go on if one's own name is still
there.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from airflow.sdk import Variable

_WRITTEN = 1.0  # seconds after which a write is seen by all
_HELD = timedelta(seconds=60)  # whoever holds a turn for longer was killed


@contextmanager
def turn(name: str) -> Iterator[None]:
    """Wait for the turn ``name``, and hold it for the block, which must end within a minute."""
    me = uuid.uuid4().hex
    while True:
        if _holder(name) is None:
            record = {"turn": me, "since": datetime.now(UTC).isoformat()}
            Variable.set(name, json.dumps(record), description="A task's turn; gone within a minute")
            time.sleep(_WRITTEN)
            if _holder(name) == me:
                break
        time.sleep(random.uniform(0.5, 2.5) * _WRITTEN)  # noqa: S311 -- no secret
    try:
        yield
    finally:
        Variable.delete(name)


def _holder(name: str) -> str | None:
    record = json.loads(Variable.get(name, default=None) or "null")
    if record is None or datetime.fromisoformat(record["since"]) < datetime.now(UTC) - _HELD:
        return None
    return str(record["turn"])
