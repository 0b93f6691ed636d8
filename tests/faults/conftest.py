"""Faults are injected into one real Airflow, and the inbox is counted afterwards.

Retries take minutes, so faults go on side by side: a module's ``begin(world)`` starts its runs, all of them before the
first test, and its tests find in ``begun`` what it returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.world import World, running_world

# These disturb every run that is under way, so they come after all others.
LAST = ("test_metadata", "test_scheduler")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem in LAST)


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("airflow")) as running:
        for module in dict.fromkeys(item.module for item in request.session.items):
            if begin := getattr(module, "begin", None):
                running.begun[module.__name__] = begin(running)
        yield running


@pytest.fixture
def begun(world: World, request: pytest.FixtureRequest) -> Any:
    """What the module's ``begin`` returned."""
    return world.begun[request.module.__name__]
