"""What a run found: coverage, breaches and their totals. Plain values, without pandas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.settings.entries import Ignore

Outcome = Literal["reported", "over", "held_back", "ignored"]
What = Literal["method", "driver", "application", "system", "tls"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A warehouse of a fleet that the log does not show, or in part only, and in words why."""

    warehouse: str
    verdict: Literal["partial", "unseen"]
    reason: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many ``warehouses`` were to be seen, how many were not, and the worst ``gaps`` by name, unseen ones first."""

    warehouses: int
    unseen: int
    partial: int
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the log ``source`` shows of the interval: the verdict, and in words why it is not ``seen``.

    ``shown`` is the part that it shows; None where it shows none.
    ``unreadable_lines`` are lines of the scanned days that hold no time of these days or the day before. ``reason``
    names them too. A live log is ``behind`` where its newest event lies before the interval's end: it shows more soon.
    A log of many warehouses is seen as far as each of them is: of a ``fleet`` of which a part is unseen, the verdict is
    ``partial``.
    """

    source: str
    verdict: Literal["seen", "partial", "unseen"]
    reason: str = ""
    unreadable_lines: int = 0
    behind: bool = False
    fleet: Fleet | None = None
    shown: Interval | None = None

    @property
    def not_evaluated(self) -> str:
        """Say what was not evaluated: the interval, or some warehouses of the fleet; '' where all was, if in part."""
        if self.verdict == "unseen":
            return f"the interval is unseen: {self.reason}"
        return self.reason if self.fleet and self.fleet.unseen else ""

    @property
    def is_reported(self) -> bool:
        """Whether there is a part to report, breach or not. What is unseen fails the run, or is a warning."""
        return self.verdict == "partial" and (self.fleet is None or self.fleet.partial > 0)


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in of a group; ``warehouse`` is where, if the log holds many.

    ``host`` is from where, unless the group names its host. ``host_failed`` says of one that got in whether that host
    had failed before, as whatever user.
    """

    at: datetime
    user: str
    warehouse: str | None = None
    host: str | None = None
    host_failed: bool | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A group's sign-ins before the interval.

    The log shows events from ``since`` on; ``last`` is None where it never signed in.
    """

    sign_ins: int
    since: datetime
    last: Login | None


@dataclass(frozen=True, slots=True)
class Client:
    """What most of a group's failures in the interval came with, and how many other values there were."""

    what: What
    value: str
    others: int


@dataclass(frozen=True, slots=True)
class TriedUser:
    """A user that a group failed as, so many times in the interval.

    ``in_a_row`` counts the user's latest failures from any host without a sign-in between them, as far as the scanned
    range goes back; the first of them was at ``since``. Only a success would end the row, so there may be more.
    """

    name: str
    failures: int
    in_a_row: int = 0
    since: datetime | None = None
    admin: bool = False
    may_be_locked_out: bool = False


@dataclass(frozen=True, slots=True)
class FailedAt:
    """A warehouse at which a group failed so many times in the interval."""

    warehouse: str
    failures: int


@dataclass(frozen=True, slots=True)
class Details:
    """What the message shows of a group in full; times in UTC.

    ``parts`` are its failures in each of the equal parts of the interval, ``got_in`` is its first sign-in as a user
    that it had failed as (where it may come from any host: the first from a host that had failed, else the first),
    ``first_login`` its first sign-in as any user. ``own_failures`` of its failures are the
    monitor's own, and they came from so many ``hosts``. A group that breached only before the interval
    has no ``first_breach_at``, and may have no failure. It is not ``known`` whether it signed in before where the log
    shows no sign-in of that time. ``warehouses`` counts those at which it failed, and ``top_warehouses`` are the five
    with the most failures; 0 and none where the log holds one, or the group names it.
    """

    parts: tuple[int, ...]
    peak: int
    first_failure_at: datetime | None
    last_failure_at: datetime | None
    first_breach_at: datetime | None
    first_login: Login | None
    got_in: Login | None
    users_tried: int
    own_failures: int
    top_users: tuple[TriedUser, ...]
    hosts: int = 0
    known: Known | None = None
    clients: tuple[Client, ...] = ()
    warehouses: int = 0
    top_warehouses: tuple[FailedAt, ...] = ()


@dataclass(frozen=True, slots=True)
class Breach:
    """A group that breached, as judged; ``last_breach_at`` in UTC.

    ``outcome`` says what becomes of it: reported as breaching, reported as over, held back until a reminder is due, or
    ignored. It is ``critical`` if it got in, and an ``admin`` breach if an admin is among its most tried users. It is a
    ``stranger`` if the log shows no sign-in of it before the interval, and a ``lockout`` if one of its most tried users
    may be locked out.
    ``entry`` is the ignore entry that matches it, though it may not apply. ``details`` is None where the group
    is named in one line.
    """

    group: dict[str, str]
    outcome: Outcome
    failures: int
    threshold: int
    ongoing: bool
    critical: bool
    admin: bool
    over: bool
    last_breach_at: datetime
    entry: Ignore | None = None
    details: Details | None = None
    stranger: bool = False
    lockout: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact numbers of groups, named or not.

    ``new``, ``ongoing``, ``critical`` and ``admin`` ones, ``lockouts`` and ``strangers`` are among those reported as
    breaching. ``unjudged`` groups breached at the monitor's threshold, but did not come back from the query. They count
    as reported: nobody knows whether they are ignored or ongoing. Those that did not come back and reached only a
    lower threshold, which is that of a few groups, do not count.
    """

    new: int = 0
    ongoing: int = 0
    critical: int = 0
    admin: int = 0
    over: int = 0
    held_back: int = 0
    ignored: int = 0
    unjudged: int = 0
    lockouts: int = 0
    strangers: int = 0

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
        return self.names_groups or self.coverage.is_reported

    @property
    def names_groups(self) -> bool:
        """Whether a group is reported, as breaching or as over."""
        return self.totals.reported + self.totals.over > 0
