"""What a run found: coverage, breaches and their totals. Plain values, without pandas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from redshift_auth_alert.settings.entries import Ignore

Outcome = Literal["reported", "over", "held_back", "ignored"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the log ``source`` shows of the interval: the verdict, and in words why it is not ``seen``.

    ``unreadable_lines`` are lines of the scanned days that hold no event's time. ``reason`` names them too.
    """

    source: str
    verdict: Literal["seen", "partial", "unseen"]
    reason: str = ""
    unreadable_lines: int = 0


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in of a group after its breach point."""

    at: datetime
    user: str


@dataclass(frozen=True, slots=True)
class Details:
    """What the message shows of a group in full; times in UTC.

    ``parts`` are its failures in each of the equal parts of the interval, ``got_in`` is its first sign-in as a user
    that it had failed as, ``first_login`` its first sign-in as any user. A group that breached only before the interval
    has no ``first_breach_at``, and may have no failure.
    """

    parts: tuple[int, ...]
    peak: int
    first_failure_at: datetime | None
    last_failure_at: datetime | None
    first_breach_at: datetime | None
    first_login: Login | None
    got_in: Login | None
    users_tried: int
    top_users: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Breach:
    """A group that breached, as judged; ``last_breach_at`` in UTC.

    ``outcome`` says what becomes of it: reported as breaching, reported as over, held back until a reminder is due, or
    ignored. ``entry`` is the ignore entry that matches it, though it may not apply. ``details`` is None where the group
    is named in one line.
    """

    group: dict[str, str]
    outcome: Outcome
    failures: int
    threshold: int
    ongoing: bool
    critical: bool
    over: bool
    last_breach_at: datetime
    entry: Ignore | None = None
    details: Details | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact numbers of groups, named or not: ``new``, ``ongoing`` and ``critical`` ones of those reported as breaching.

    ``unjudged`` groups breached at the lowest threshold in force, but did not come back from the query. They count as
    reported: nobody knows whether they are ignored or ongoing.
    """

    new: int = 0
    ongoing: int = 0
    critical: int = 0
    over: int = 0
    held_back: int = 0
    ignored: int = 0
    unjudged: int = 0

    @property
    def reported(self) -> int:
        """How many groups are reported as breaching."""
        return self.new + self.ongoing + self.unjudged


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run found. ``failures`` are all of the interval, of every group; ``breaches`` come the worst first."""

    coverage: Coverage
    failures: int
    breaches: tuple[Breach, ...] = ()
    totals: Totals = Totals()

    def having(self, *outcomes: Outcome) -> tuple[Breach, ...]:
        """Return the breaches that have one of these outcomes."""
        return tuple(breach for breach in self.breaches if breach.outcome in outcomes)

    @property
    def says_something(self) -> bool:
        """Whether there is anything to publish. An interval that was only partly seen is reported, breach or not."""
        return self.totals.reported + self.totals.over > 0 or self.coverage.verdict == "partial"
