"""The scheduler is killed."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

from tests.faults.world import World


def test_each_breach_is_reported_once_where_the_scheduler_is_killed_five_times(world: World) -> None:
    started = datetime.now(UTC).replace(second=0, microsecond=0)
    dag_id = world.monitor("scheduler", schedule="* * * * *", start_date=started.isoformat())
    for _ in range(5):
        time.sleep(random.uniform(15, 45))
        world.scheduler.kill()
    world.assert_each_breach_is_reported_once("scheduler", dag_id)
