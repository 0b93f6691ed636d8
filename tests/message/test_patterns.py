"""What a group looks like: for each pattern, a group that fits it and one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from redshift_auth_alert.detection.findings import Known, Login
from redshift_auth_alert.message.patterns import PATTERNS, likeness
from tests.conftest import NOON
from tests.message.findings import MINUTE, OVER, make_breach

KNOWN = Known(300, NOON - 9_000 * MINUTE, Login(NOON - 31 * MINUTE, "etl"))
NEVER = Known(0, NOON - 9_000 * MINUTE, None)
ONE_USER: dict[str, Any] = {"users_tried": 1, "top_users": (("etl", 12),), "hosts": 1, "failures": 12}
STEADY = ONE_USER | {"parts": (1,) * 12, "last_failure_at": NOON + 29 * MINUTE}
UNEVEN = (0, 4, 0, 0, 3, 0, 4, 0, 0, 1, 0, 0)
MANY_HOSTS = STEADY | {"group": {"user_name": "etl"}, "hosts": 5}
USERS = {"users_tried": 5, "failures": 15, "parts": (1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 2, 1)}
THREE_EACH = tuple((f"user{number}", 3) for number in range(5))


def looks(**facts: Any) -> str | None:
    """The name of the pattern of a group with these facts."""
    found = likeness(breach := make_breach(**facts), breach.details)  # type: ignore[arg-type]
    return found and found.name


# For each pattern a group that fits it, one that just does not, and what that one looks like instead.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "earlier": (
        {"failures": 0, "parts": (0,) * 12, "users_tried": 0, "top_users": ()},
        {"failures": 1, "parts": (1,) + (0,) * 11},
        "burst",
    ),
    "own": (STEADY | {"own_failures": 12}, STEADY | {"own_failures": 11}, "drip"),
    "job": (STEADY | {"known": KNOWN}, STEADY | {"known": NEVER}, "drip"),
    "drip": (STEADY, STEADY | {"parts": UNEVEN}, "guessing"),
    "stuffing": (
        USERS | {"failures": 10, "top_users": tuple((f"user{number}", 2) for number in range(5))},
        USERS | {"top_users": THREE_EACH},
        "spraying",
    ),
    "spraying": (USERS | {"top_users": THREE_EACH}, USERS | {"failures": 16, "top_users": THREE_EACH}, "guessing"),
    "distributed": (MANY_HOSTS, MANY_HOSTS | {"hosts": 4}, "guessing"),
    "burst": (
        ONE_USER | {"parts": (0, 0, 8, 2, 0, 0, 1, 1, 0, 0, 0, 0)},
        ONE_USER | {"parts": (0, 0, 7, 2, 0, 0, 1, 2, 0, 0, 0, 0)},
        "guessing",
    ),
    "guessing": (ONE_USER | {"parts": UNEVEN}, STEADY, "drip"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_group_that_fits_looks_like_it(name: str) -> None:
    assert looks(**CASES[name][0]) == name


@pytest.mark.parametrize("name", CASES)
def test_a_group_that_just_does_not_fit_looks_like_another(name: str) -> None:
    _, facts, other = CASES[name]
    assert looks(**facts) == other != name


def test_each_pattern_has_its_cases() -> None:
    assert [pattern.name for pattern in PATTERNS] == list(CASES)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        pytest.param({"users_tried": 2}, "guessing", id="fails as two users"),
        pytest.param({"hosts": 2, "group": {"user_name": "etl"}}, "guessing", id="fails from two hosts"),
        pytest.param({"group": {"user_name": "etl"}}, "drip", id="is a user, which may be tried from anywhere"),
        pytest.param({"last_failure_at": NOON + 1.9 * MINUTE}, "guessing", id="fails faster than every five seconds"),
        pytest.param({"got_in": Login(NOON + 29 * MINUTE, "etl")}, "drip", id="got in, so it is not to be played down"),
        pytest.param({"known": None}, "drip", id="was not looked at before the interval"),
    ],
)
def test_a_known_host_is_no_job_if_it(other: dict[str, Any], name: str) -> None:
    assert looks(**STEADY | {"known": KNOWN} | other) == name


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        pytest.param((1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0), "drip", id="every second part"),
        pytest.param((2, 0, 0, 1, 0, 0, 4, 0, 0, 1, 0, 0), "drip", id="half of a share and twice a share"),
        pytest.param((2, 0, 0, 2, 0, 0, 9, 0, 0, 2, 0, 0), "guessing", id="more than twice a share"),
        pytest.param((1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0), "guessing", id="less than half of a share"),
        pytest.param((1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0), "guessing", id="too few to tell"),
    ],
)
def test_steady_failures_are_told_apart(parts: tuple[int, ...], name: str) -> None:
    assert looks(**STEADY | {"parts": parts, "failures": sum(parts)}) == name


@pytest.mark.parametrize(
    ("facts", "words", "techniques"),
    [
        (ONE_USER | {"parts": UNEVEN}, "guessing one user", ("T1110.001",)),
        ({"users_tried": 3, "parts": UNEVEN}, "guessing 3 users", ("T1110.001",)),
        (MANY_HOSTS, "guessing one user from 5 hosts", ("T1110.001",)),
        (USERS | {"top_users": THREE_EACH}, "spraying 5 users, a few tries each", ("T1110.003",)),
        (CASES["stuffing"][0], "spraying 5 users, or stuffing", ("T1110.003", "T1110.004")),
        (STEADY | {"known": KNOWN}, "a job with an old password: known, one user, steady", ()),
    ],
)
def test_a_group_is_put_into_words(facts: dict[str, Any], words: str, techniques: tuple[str, ...]) -> None:
    found = likeness(breach := make_breach(**facts), breach.details)  # type: ignore[arg-type]
    assert found
    assert (found.words, found.techniques) == (words, techniques)


def test_a_group_that_got_in_used_a_valid_account_too() -> None:
    breach = make_breach(**ONE_USER | {"parts": UNEVEN, "got_in": Login(NOON + 29 * MINUTE, "etl")})
    found = likeness(breach, breach.details)  # type: ignore[arg-type]
    assert found
    assert (found.words, found.techniques) == ("guessing one user, then got in", ("T1110.001", "T1078"))


def test_a_group_that_is_over_looks_like_nothing() -> None:
    assert OVER.details
    assert likeness(OVER, OVER.details) is None
