"""What the statement must measure, by brute force from the definitions alone: slow, plain, and no code of the package.

Times are whole ticks. Every tick of a range is looked at, one after the other, and every failure is counted anew.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

FAILURE, LOGIN = "authentication failure", "authenticated"


@dataclass(frozen=True)
class Event:
    """A connection event at tick ``at``. ``client`` is what it came with: method, driver, application, system, TLS."""

    kind: str
    at: int
    remote_host: str
    user_name: str
    database_name: str
    client: tuple[str, ...] = ("",) * 5
    warehouse: str = ""


def expected(
    events: list[Event],
    *,
    start: int,
    end: int,
    window: int,
    threshold: int,
    group_by: tuple[str, ...],
    count: str = "failures",
    since_any_event: bool = False,
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return what is measured, by its value combination, of each group that breached in the interval or just before.

    A group would be known since the oldest sign-in of anybody, with ``since_any_event`` the oldest event of any kind.
    """
    shown = [event.at for event in events if event.at < start and (since_any_event or event.kind == LOGIN)]

    def group(event: Event) -> tuple[str, ...]:
        return tuple(getattr(event, column) for column in group_by)

    def in_a_row(user: str, inside: list[Event]) -> tuple[int, int | None]:
        """The longest row at a warehouse where the group failed as the user; of two as long, the earlier."""
        warehouses = {failure.warehouse for failure in inside if failure.user_name == user}
        rows = [in_a_row_at(warehouse, user) for warehouse in warehouses]
        return min(rows, key=lambda row: (-row[0], row[1] or 0))

    def in_a_row_at(warehouse: str, user: str) -> tuple[int, int | None]:
        by_user = [
            event
            for event in events
            if event.user_name == user and event.warehouse == warehouse and start - 2 * window <= event.at < end
        ]
        last_login = max((event.at for event in by_user if event.kind == LOGIN), default=None)
        since = [
            event.at for event in by_user if event.kind == FAILURE and (last_login is None or event.at > last_login)
        ]
        return len(since), min(since, default=None)

    def host_had_failed(host: str, before: int) -> bool:
        """Whether anybody failed from the host in the scanned range before."""
        return any(
            event.kind == FAILURE and event.remote_host == host and start - 2 * window <= event.at < before
            for event in events
        )

    result = {}
    for key in {group(event) for event in events}:
        mine = [event for event in events if group(event) == key and event.at < end]
        failures = [event for event in mine if event.kind == FAILURE]

        def in_window(tick: int, failures: list[Event] = failures) -> int:
            inside = [failure for failure in failures if tick - window < failure.at <= tick]
            if count == "failures":
                return len(inside)
            return len({getattr(failure, count.removeprefix("distinct ")) for failure in inside})

        breach_points = sorted({failure.at for failure in failures if in_window(failure.at) >= threshold})
        here = [point for point in breach_points if start <= point < end]
        before = [point for point in breach_points if start - window <= point < start]
        if not (here or before):
            continue
        inside = [failure for failure in failures if start <= failure.at < end]
        times = [failure.at for failure in inside]
        earlier = [failure.at for failure in failures if start - window <= failure.at < start]
        logins = sorted(
            (event.at, event.user_name, event.warehouse, event.remote_host)
            for event in mine
            if event.kind == LOGIN
            and event.at >= start
            and any(point < event.at and (point >= start or event.at - window < point) for point in here + before)
        )
        first_login = [(at, user, *([] if "remote_host" in group_by else [host])) for at, user, _, host in logins]
        got_in = [
            (at, user, *([] if "remote_host" in group_by else [host, int(host_had_failed(host, at))]))
            for at, user, _, host in logins
            if any(failure.user_name == user and start - 2 * window <= failure.at < at for failure in failures)
        ]
        if "remote_host" not in group_by:  # of sign-ins from any host, those from one that had failed go first
            got_in.sort(key=lambda login: not login[3])
        users = Counter(failure.user_name for failure in inside)
        top = sorted(users.items(), key=lambda item: (-item[1], item[0]))[:5]
        last = max(here + before)
        sign_ins = sorted((-event.at, event.user_name) for event in mine if event.kind == LOGIN and event.at < start)

        def most_came_with(place: int, inside: list[Event] = inside) -> tuple[str, int] | None:
            values = Counter(failure.client[place] for failure in inside if failure.client[place])
            return (min(values, key=lambda each: (-values[each], each)), len(values) - 1) if values else None

        result[key] = {
            "parts": [len([at for at in times if 12 * (at - start) // (end - start) == part]) for part in range(12)],
            "failures": len(inside),
            "most_at_failure": max((in_window(failure.at) for failure in inside), default=0),
            "peak": max(in_window(tick) for tick in range(start, end)),
            "most_before": max((in_window(at) for at in earlier), default=0),
            "first_failure_at": min(times, default=None),
            "last_failure_at": max(times, default=None),
            "first_breach_at": min(here, default=None),
            "last_breach_at": last,
            "first_login": first_login[0] if first_login else None,
            "got_in": got_in[0] if got_in else None,
            "users_tried": len(users),
            "hosts": len({failure.remote_host for failure in inside}),
            "known": (
                len(sign_ins),
                min(shown, default=None),
                *((-sign_ins[0][0], sign_ins[0][1]) if sign_ins else (None, None)),
            ),
            "clients": [most_came_with(place) for place in range(5)],
            "top_users": [(user, number, *in_a_row(user, inside)) for user, number in top],
        }
    return result


def warehouses_failed_at(
    events: list[Event], group: tuple[str, ...], group_by: tuple[str, ...], start: int, end: int
) -> tuple[int, list[tuple[str, int]]]:
    """Return at how many warehouses the group failed in the interval, and the five at which it did most."""
    failed = Counter(
        event.warehouse
        for event in events
        if event.kind == FAILURE
        and start <= event.at < end
        and tuple(getattr(event, column) for column in group_by) == group
    )
    return len(failed), sorted(failed.items(), key=lambda each: (-each[1], each[0]))[:5]


def outcome(
    found: dict[str, Any], *, end: int, window: int, threshold: int, notify_when_over: bool, reminder_due: bool
) -> tuple[str, bool, bool, bool] | None:
    """Return what becomes of a measured group that no entry ignores, and whether it is ongoing, critical and over."""
    breaches, ongoing = found["first_breach_at"] is not None, found["most_before"] >= threshold
    critical, over = found["got_in"] is not None, notify_when_over and found["last_breach_at"] + window < end
    if critical or (breaches and (reminder_due or not ongoing)):
        what = "reported"
    elif over:
        what = "over"
    elif breaches:
        what = "held_back"
    else:
        return None
    return what, ongoing, critical, over


def all_failures(events: list[Event], start: int, end: int) -> int:
    """Return how many failures lie in the interval, whosever they are."""
    return sum(event.kind == FAILURE and start <= event.at < end for event in events)
