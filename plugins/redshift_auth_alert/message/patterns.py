"""What a group's failures look like: words about what was counted. They change neither a threshold nor the severity.

Techniques are those of MITRE ATT&CK: https://attack.mitre.org/techniques/T1110/ and T1078.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from redshift_auth_alert.detection.evaluation import PARTS
from redshift_auth_alert.detection.findings import Breach, Details

GUESSING, SPRAYING, STUFFING, VALID_ACCOUNT = "T1110.001", "T1110.003", "T1110.004", "T1078"

MANY = 5  # users or hosts
A_FEW = 3  # failures for each of many users
A_DRIP = timedelta(seconds=5)  # at least so long between two failures, on average
A_BURST = 0.8  # of all failures, in one of the interval's parts or two beside each other
_QUARTER = PARTS // 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """``words`` may name the ``users`` and the number of ``hosts``."""

    name: str
    words: str
    techniques: tuple[str, ...]
    fits: Callable[[Breach, Details], bool]


class Likeness(NamedTuple):
    """What a group looks like: the name of the pattern, its words, and ids of MITRE ATT&CK."""

    name: str
    words: str
    techniques: tuple[str, ...]


# The first that fits counts.
PATTERNS = (
    Pattern(
        "earlier",
        "the end of an attack from before the interval",
        (),
        lambda breach, _: breach.failures == 0,
    ),
    Pattern(
        "own",
        "this monitor itself, with a user or a password that is refused",
        (),
        lambda breach, details: details.own_failures >= breach.failures,
    ),
    Pattern(
        "job",
        "a job with an old password: known, one user, steady",
        (),
        # Only a host is known for what runs on it: a known user may be tried from anywhere.
        lambda breach, details: (
            "remote_host" in breach.group and _is_drip(details) and _is_known(details) and not details.got_in
        ),
    ),
    Pattern(
        "drip",
        "a steady drip: a job with an old password, or slow guessing",
        (GUESSING,),
        lambda _, details: _is_drip(details),
    ),
    Pattern(
        "stuffing",
        "spraying {users}, or stuffing",
        (SPRAYING, STUFFING),
        lambda _, details: details.users_tried >= MANY and all(user.failures <= 2 for user in details.top_users),
    ),
    Pattern(
        "spraying",
        "spraying {users}, a few tries each",
        (SPRAYING,),
        lambda breach, details: details.users_tried >= MANY and breach.failures <= A_FEW * details.users_tried,
    ),
    Pattern(
        "distributed",
        "guessing {users} from {hosts:,} hosts",
        (GUESSING,),
        lambda _, details: details.users_tried == 1 and details.hosts >= MANY,
    ),
    Pattern(
        "burst",
        "guessing {users} in a burst",
        (GUESSING,),
        lambda _, details: _is_burst(details.parts),
    ),
    Pattern("guessing", "guessing {users}", (GUESSING,), lambda _breach, _details: True),
)


def likeness(breach: Breach, details: Details) -> Likeness | None:
    """Return what a breach looks like; None for one that is over."""
    if breach.outcome == "over":
        return None
    pattern = next(each for each in PATTERNS if each.fits(breach, details))
    users = "one user" if details.users_tried == 1 else f"{details.users_tried:,} users"
    words = pattern.words.format(users=users, hosts=details.hosts)
    if not details.got_in:
        return Likeness(pattern.name, words, pattern.techniques)
    return Likeness(pattern.name, f"{words}, then got in", (*pattern.techniques, VALID_ACCOUNT))


def _is_known(details: Details) -> bool:
    return details.known is not None and details.known.sign_ins > 0


def _is_drip(details: Details) -> bool:
    """Whether one user fails slowly and steadily: each quarter holds from half of its share up to twice as many."""
    first, last, total = details.first_failure_at, details.last_failure_at, sum(details.parts)
    if details.users_tried != 1 or details.hosts > 1 or total < 4 or first is None or last is None:
        return False
    quarters = [sum(details.parts[at : at + _QUARTER]) for at in range(0, len(details.parts), _QUARTER)]
    steady = all(total <= 8 * quarter <= 4 * total for quarter in quarters)
    return steady and last - first >= A_DRIP * (total - 1)


def _is_burst(parts: tuple[int, ...]) -> bool:
    most = max(sum(parts[at : at + 2]) for at in range(len(parts) - 1))
    return most >= A_BURST * sum(parts)
