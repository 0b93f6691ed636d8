"""What to do about a group, in at most two lines: a command to paste, or where to look. docs/runbook.md says more.

A command names a user only where every client that it may be pasted into reads the name as one name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from redshift_auth_alert.detection.candidates import is_federated
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Details
from redshift_auth_alert.message.patterns import Likeness, likeness
from redshift_auth_alert.message.words import shown

RUNBOOK = "docs/runbook.md"
BLANK = "<new password>"  # to be filled in. Redshift refuses it, so a command that is pasted as it is changes nothing
# Printable ASCII without what some client expands, escapes or takes for an end: $ { } \ ` ; and comments. The log cuts
# names at 50 bytes, so one of that length may be another user's.
_SAFE = re.compile(r"""(?!.*(--|  ))[A-Za-z0-9_.@+:/='"-]([A-Za-z0-9_.@+:/='" -]{0,47}[A-Za-z0-9_.@+:/='"-])?""")
_QUOTED = 60  # columns that a quoted name may take
# The owner of the account, who signs in as ever while others try it, must not be locked by a command pasted in haste.
_OWNERS = "find out whether {host} is one of your hosts; if it is not, lock the user: see the runbook"

Line = tuple[str, ...]  # words, none of which may be broken: a quoted name is one


class Advice(NamedTuple):
    """At most two lines, and the runbook's heading that says more; ``then``, a sentence, comes after two commands."""

    lines: tuple[Line, ...]
    anchor: str
    then: str = ""

    @property
    def runbook(self) -> str:
        """Where the runbook says more."""
        return f"{RUNBOOK}#{self.anchor}"

    @property
    def texts(self) -> list[str]:
        """The lines as text, and what comes then."""
        return [*(" ".join(line) for line in self.lines), *([self.then] if self.then else [])]


class Case(NamedTuple):
    """What to do where it ``holds``; ``says`` may name the ``address`` to block. Locked users are unlocked on top."""

    anchor: str
    says: str
    holds: Callable[[Breach, Details, Likeness], object]


def _is_of_a_host(breach: Breach) -> bool:
    return "remote_host" in breach.group


# The first that holds counts. Who got in comes before all of them.
CASES = (
    Case(
        "own-sign-ins",
        "correct the user or the password of this monitor's connection",
        lambda _breach, _details, looks: looks.name == "own",
    ),
    Case(
        "admin-tried",
        "block {address} now: an admin was tried",
        lambda breach, _details, _looks: breach.admin,
    ),
    Case(
        "old-password",
        "correct the password in the job on that host",
        lambda _breach, _details, looks: looks.name == "job",
    ),
    Case(
        "locked-out",
        "block {address} first",
        lambda _breach, details, _looks: any(user.may_be_locked_out for user in details.top_users),
    ),
    Case(
        "shared-address",
        "others sign in from there: find out who before you block it",
        lambda breach, details, _looks: _is_of_a_host(breach) and details.first_login,
    ),
    Case(
        "stranger",
        "block {address} unless you know the host; it never signed in here before",
        lambda breach, _details, _looks: _is_of_a_host(breach) and breach.stranger,
    ),
    Case(
        "old-password",
        "look for a job on that host; if there is none, block {address}",
        lambda breach, _details, looks: _is_of_a_host(breach) and looks.name == "drip",
    ),
    Case(
        "alert",
        "find out who it is, or block {address}",
        lambda breach, _details, _looks: _is_of_a_host(breach),
    ),
    Case(
        "alert",
        "find out which hosts these are, and block those that you do not know",
        lambda _breach, _details, _looks: True,
    ),
)


def advise(breach: Breach, details: Details, run: Evaluation) -> Advice | None:
    """Return what to do first about a breach; None for one that is over."""
    looks = likeness(breach, details)
    if looks is None:
        return None
    if details.got_in:
        if details.got_in.host_failed is False:
            return Advice((_words(_OWNERS.format(host=shown(details.got_in.host or ""))),), "got-in")
        is_strange_host = breach.stranger and "remote_host" in breach.group
        return _lock(details.got_in.user, run, then="then block the address" if is_strange_host else "")
    case = next(each for each in CASES if each.holds(breach, details, looks))
    if _is_of_a_host(breach):
        address = "the address"
    else:
        address = "the addresses that try this user" if "user_name" in breach.group else "the addresses that try it"
    says = case.says.format(address=address)
    locked = [user.name for user in details.top_users if user.may_be_locked_out]
    if not locked:
        return Advice((_words(says),), case.anchor)
    what, command = _unlock(locked)
    return Advice((_words(f"{says}; then {what}:"), command), case.anchor)


def quoted(name: str, quote: str) -> str:
    """Write ``name`` in quotes for Redshift; '' where it is not safe to paste."""
    if not _SAFE.fullmatch(name) or is_federated(name):
        return ""
    written = f"{quote}{name.replace(quote, 2 * quote)}{quote}"
    return written if len(written) <= _QUOTED else ""


def _lock(user: str, run: Evaluation, then: str) -> Advice:
    """Lock the user and end its sessions. A lock may not stop sign-ins by IAM, so none is named for these."""
    identifier, literal, at_last = quoted(user, '"'), quoted(user, "'"), then and f"; {then}"
    if not run.source.locks_out or is_federated(user):
        return Advice((_words(f"in IAM, take away its right to sign in; then end its sessions{at_last}"),), "got-in")
    if not (identifier and literal):
        return Advice((_words(f"lock this user by hand (unsafe name){at_last}"),), "got-in")
    lock = ("ALTER", "USER", identifier, "NOLOGIN;")
    if run.source.fleet or "sys_connection_log" in (
        run.settings.source,
        run.settings.auto_recent,
    ):  # there may be no stv_sessions
        sessions = _words(f"then end its sessions, by the statements in the runbook{at_last}")
        return Advice((lock, sessions), "got-in")
    sessions = *_words("SELECT pg_terminate_backend(process) FROM stv_sessions WHERE user_name ="), f"{literal};"
    return Advice((lock, sessions), "got-in", then)


def _unlock(names: list[str]) -> tuple[str, Line]:
    """Say how to unlock the user; with several, or one that is not safe to paste, how to list them."""
    if len(names) == 1 and (identifier := quoted(names[0], '"')):
        return "unlock", ("ALTER", "USER", identifier, "LOGIN", "PASSWORD", f"'{BLANK}';")
    return "see who is locked", ("SHOW", "USER", "LOCKOUT;")


def _words(sentence: str) -> Line:
    return tuple(sentence.split())
