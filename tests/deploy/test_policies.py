"""The evaluator of policies, against the rules of IAM."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.policies import is_allowed


def statement(**changed: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::log/a?/*"} | changed


def decide(*statements: dict[str, Any], action: str = "s3:GetObject", **request: Any) -> bool:
    return is_allowed([{"Statement": list(statements)}], action, "arn:aws:s3:::log/ab/c", **request)


def test_what_no_statement_names_is_not_allowed() -> None:
    assert not decide(statement(Action="s3:PutObject"))


def test_actions_match_in_any_case_and_resources_do_not() -> None:
    assert decide(statement(), action="S3:getobject")
    assert not decide(statement(Resource="arn:aws:s3:::LOG/*"))


def test_a_deny_wins_wherever_it_stands() -> None:
    assert not decide(statement(Effect="Deny"), statement())
    assert not decide(statement(), statement(Effect="Deny"))


def test_all_conditions_have_to_hold_and_one_value_of_each() -> None:
    both = statement(Condition={"StringEquals": {"aws:a": ["1", "2"]}, "Bool": {"aws:b": "true"}})
    assert decide(both, context={"AWS:A": "2", "aws:b": "true"})
    assert not decide(both, context={"aws:a": "3", "aws:b": "true"})
    assert not decide(both, context={"aws:a": "2"})


def test_arns_are_compared_part_by_part() -> None:
    alarm = statement(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:*:1:alarm:x*"}})
    assert decide(alarm, context={"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:1:alarm:xy"})
    assert not decide(alarm, context={"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:2:1:alarm:xy"})


@pytest.mark.parametrize(
    "unknown",
    [
        {"NotAction": "s3:*"},
        {"Condition": {"StringEqualsIfExists": {"aws:a": "1"}}},
        {"Resource": "arn:aws:s3:::${aws:username}/*"},
    ],
)
def test_what_is_not_known_is_an_error(unknown: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not known"):
        decide(statement(**unknown))
