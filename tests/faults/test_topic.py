"""SNS cannot be reached, fails, refuses, or does not answer."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import unwrapped
from tests.faults.world import HOST, World

LASTING = ("refuse", "InternalError", "Throttling", "AuthorizationError", "missing")


@dataclass
class Outcome:
    """What arrived while the fault lasted, how another run of the monitor ended then, and what came of it all."""

    meanwhile: list[Any]
    other: str
    state: str
    mails: list[Any]


def begin(world: World) -> dict[str, Future[Outcome]]:
    """A run that has an alert for each fault of its topic, and one that fails; after two tries the fault ends."""
    runs = {fault: world.background(publish, world, fault, 2) for fault in LASTING}
    runs["swallow"] = world.background(publish, world, "swallow", 1)
    runs["failure"] = world.background(publish, world, "failure", 2)
    return runs


def publish(world: World, name: str, tries: int) -> Outcome:
    """Let a run try to publish, end the fault, and return what came of it."""
    task_id, overrides = "publish_alert", {}
    if name == "missing":
        topic = world.cloud.topic_arn.replace("redshift-auth-alerts", name)
    else:
        topic = world.topic(name, "refuse" if name == "failure" else name)
    if name == "failure":
        task_id, overrides = "report_failure", {"conn_id": "not_defined"}
    environment = f"topic-{name.lower()}"
    run_id = world.trigger(environment, sns_topic_arn=topic, **overrides)
    for number in range(1, tries + 1):
        world.wait_for_state(run_id, task_id, "up_for_retry", number)
        if number < tries:
            world.end_pause(run_id, task_id)
    meanwhile = world.mail(environment)
    other = world.airflow.wait_for_run(world.trigger("other", dry_run=True), seconds=300) if name == "refuse" else ""
    if name == "missing":
        world.cloud.subscribe(name)
    else:
        del world.aws.faults[name]
    world.end_pause(run_id, task_id)
    return Outcome(meanwhile, other, *world.outcome(run_id, environment))


@pytest.mark.parametrize("fault", LASTING)
def test_an_alert_that_sns_does_not_take_is_published_once_it_does(
    world: World, begun: dict[str, Future[Outcome]], fault: str
) -> None:
    outcome = begun[fault].result()
    assert outcome.meanwhile == []
    assert (outcome.state, [mail.subject[:7] for mail in outcome.mails]) == ("success", ["[ALERT]"])
    assert f"{HOST} [3 times]" in outcome.mails[0].body


def test_a_failure_is_reported_once_the_topic_can_be_reached_again(
    world: World, begun: dict[str, Future[Outcome]]
) -> None:
    outcome = begun["failure"].result()
    assert outcome.meanwhile == []
    assert (outcome.state, [mail.subject[:8] for mail in outcome.mails]) == ("failed", ["[FAILED]"])
    assert "Connection 'not_defined' is not defined" in unwrapped(outcome.mails[0].body)


def test_while_the_topic_cannot_be_reached_other_runs_are_evaluated(
    world: World, begun: dict[str, Future[Outcome]]
) -> None:
    assert begun["refuse"].result().other == "success"


def test_a_topic_that_accepts_and_never_answers_gives_the_same_alert_id_each_time(
    world: World, begun: dict[str, Future[Outcome]]
) -> None:
    outcome = begun["swallow"].result()
    assert (outcome.state, len(outcome.mails)) == ("success", 2)
    assert len({mail.attributes["alert_id"] for mail in outcome.mails}) == 1
