"""From where a group got in that the monitor does not group by host: the owner of a tried account signs in all day."""

from __future__ import annotations

from typing import Any

import pytest

from redshift_auth_alert.detection.findings import Details
from tests.detection.events import Events, failures, sign_ins

OURS, ATTACKER = "10.0.0.5", "203.0.113.9"
GUESSED = [event for each in range(12) for event in failures(each / 2, host=f"203.0.113.{each}", user="etl")]
BY_USER = {"group_by": ["user_name"], "count": "distinct remote_host"}


def details(judge: Any, log: Events, **settings: Any) -> Details:
    (breach,) = judge(log, **BY_USER | settings).breaches
    assert breach.critical
    found: Details = breach.details
    return found


@pytest.mark.parametrize(("host", "failed"), [(OURS, False), (ATTACKER, True)])
def test_who_got_in_says_from_where_and_whether_that_host_had_failed(judge: Any, host: str, *, failed: bool) -> None:
    got_in = details(judge, GUESSED + sign_ins(10, host=host, user="etl")).got_in
    assert got_in
    assert (got_in.host, got_in.host_failed) == (host, failed)


def test_a_sign_in_from_a_host_that_had_failed_goes_before_an_earlier_one(judge: Any) -> None:
    log = GUESSED + sign_ins(10, host=OURS, user="etl") + sign_ins(11, 12, host=ATTACKER, user="etl")
    found = details(judge, log)
    assert found.got_in
    assert found.first_login
    assert (found.got_in.at.minute, found.got_in.host, found.first_login.host) == (11, ATTACKER, OURS)


def test_a_host_that_failed_only_after_its_sign_in_had_not_failed(judge: Any) -> None:
    log = GUESSED + sign_ins(10, host=OURS, user="etl") + failures(11, host=OURS, user="etl")
    got_in = details(judge, log).got_in
    assert got_in
    assert got_in.host_failed is False


def test_a_host_that_had_failed_as_another_user_had_failed(judge: Any) -> None:
    log = GUESSED + failures(-50, host=OURS, user="bob") + sign_ins(10, host=OURS, user="etl")
    got_in = details(judge, log).got_in
    assert got_in
    assert got_in.host_failed is True


def test_a_group_that_names_its_host_does_not_say_it_twice(judge: Any) -> None:
    log = failures(*range(12), host=ATTACKER, user="etl") + sign_ins(15, host=ATTACKER, user="etl")
    got_in = details(judge, log, group_by=["remote_host"], count="failures").got_in
    assert got_in
    assert (got_in.host, got_in.host_failed) == (None, None)
