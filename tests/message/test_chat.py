"""The chat form."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.detection.findings import Breach, Login
from redshift_auth_alert.message.chat import plain
from redshift_auth_alert.settings.entries import Ignore
from tests.conftest import NOON
from tests.message.findings import GOT_IN, MINUTE, OVER, alert, make_breach, make_verdict


def chat(*breaches: Any, **more: Any) -> dict[str, Any]:
    return dict(json.loads(alert(*breaches, message_format="chat", **more).body))


def description(*breaches: Any, **more: Any) -> str:
    return str(chat(*breaches, **more)["content"]["description"])


def test_the_chat_form_is_a_custom_notification() -> None:
    written = chat(GOT_IN)
    assert (written["version"], written["source"]) == ("1.0", "custom")
    assert written["content"] == {
        "textType": "client-markdown",
        "title": ":rotating_light: [CRITICAL] (test) Redshift: 1 remote host GOT IN",
        "description": """\
1 remote host with 10 or more authentication failures within 30 minutes.
It GOT IN: signed in as a user that it had failed as.
Interval 2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC, seen in full, source stl_connection_log
• `203.0.113.7` 14 failures, new, GOT IN; peak 15 failures within 30 minutes; \
*GOT IN* 2026-03-01 12:10:00 UTC as `admin`; looks like guessing 2 users in a burst, then got in; \
tried `admin` (9), `root` (5); what to do: `ALTER USER "admin" NOLOGIN;` \
`SELECT pg_terminate_backend(process) FROM stv_sessions WHERE user_name = 'admin';` (runbook: got-in)""",
        "keywords": ["critical", "test", "redshift_auth_failure_alert"],
    }


def test_a_group_beyond_max_groups_is_named_with_its_failures() -> None:
    assert description(make_breach(), make_breach(), max_groups=1).endswith("\n• `203.0.113.7` 14 failures, new")


def test_a_group_that_is_over_says_since_when() -> None:
    assert description(OVER).endswith("• `203.0.113.7` over since 2026-03-01 12:10:00 UTC")


def test_an_expired_entry_of_the_ignore_list_is_named() -> None:
    expired = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 2, 28))
    assert "; ignore list: matches an entry (BI gateway) that expired on 2026-02-28; " in description(
        make_breach(entry=expired)
    )


def thread(**more: Any) -> str:
    return str(chat(**more)["metadata"]["threadId"])


def test_all_messages_of_one_attack_go_into_its_thread() -> None:
    later = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}
    assert thread() == thread(**later) == thread(**later, verdict=make_verdict(OVER))
    assert thread() != thread(start=NOON + timedelta(days=1), end=NOON + timedelta(days=1, minutes=30))


@given(st.text("<>@!#`*_~|[]()&\\\n ahx", max_size=30))
def test_no_name_can_mention_anybody_or_write_markup(name: str) -> None:
    lines = description(make_breach(group={"remote_host": name}, top_users=((name, 9), ("root", 5)))).splitlines()
    assert len(lines) == 3
    assert lines[-1].count("`") == 6
    assert not set("<>&*~|#!") & set(lines[-1])
    assert not re.search(r"\]\(|(?<![a-z])@", lines[-1])


@given(st.text("<>@!#*~|&`", max_size=30))
def test_no_ignored_name_can_write_markup(name: str) -> None:
    ignored = make_breach(group={"remote_host": name}, outcome="ignored", entry=Ignore(user_name="*", reason="x"))
    last = description(verdict=make_verdict(make_breach(), ignored)).splitlines()[-1]
    assert last.startswith("Ignored, though they reached the threshold")
    assert not set("<>&*~|#!`@") & set(last)


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("ann@example.com", "ann@example.com"),
        ("@here", "\\x40here"),
        ("<!channel>", "\\x3c\\x21channel\\x3e"),
        ("[fix](http://x)", "[fix\\x5d(http://x)"),
        ("[local]", "[local]"),
    ],
)
def test_mentions_and_links_are_escaped_and_a_mail_address_is_not(words: str, written: str) -> None:
    assert plain(words) == written


def test_a_chat_shows_as_many_whole_groups_as_it_can_and_counts_the_others() -> None:
    breaches = [make_breach(group={"remote_host": "\N{PILE OF POO}" * 50}) for _ in range(100)]
    written = description(verdict=make_verdict(*breaches, new=1_000))
    shown = written.count("• ")
    assert 5 < shown < 100
    assert written.endswith(f"... and {1_000 - shown} remote hosts more")
    assert len(written) <= 3_000


TICKS = [letter + "`" * 49 for letter in "abcde"]
CONTROLS = [letter + "\x01" * 49 for letter in "abcde"]
OTHERS = [make_breach(group={"remote_host": f"198.51.100.{last}"}, got_in=Login(NOON, "admin")) for last in range(3)]


def hostile(names: list[str]) -> Breach:
    """A host that locked users of these names and got in as one of them."""
    users = tuple((name, 200, 200, NOON, False, True) for name in names)
    return make_breach(failures=999, top_users=users, users_tried=5, got_in=Login(NOON, names[0]), stranger=True)


@pytest.mark.parametrize("names", [TICKS, CONTROLS], ids=["back-ticks", "control characters"])
def test_no_names_of_users_keep_a_group_out_of_the_chat(names: list[str]) -> None:
    written = description(hostile(names), *OTHERS)
    assert written.count("• ") == 4
    assert len(written) <= 3_000


def test_a_long_name_is_cut_but_not_within_an_escape() -> None:
    assert '`"a' + "\\x60" * 9 + "..` (200)" in description(hostile(TICKS))


def test_a_name_of_forty_characters_is_whole() -> None:
    assert f"as `{'x' * 40}`" in description(hostile(["x" * 40]))


def test_a_group_whose_line_does_not_fit_gets_a_short_one_and_the_next_go_on() -> None:
    many = [hostile(TICKS) for _ in range(5)]
    written = description(*many, *OTHERS)
    assert written.count("• `203.0.113.7` 999 failures, new, GOT IN\n") >= 1
    assert written.count("• ") == 8


@given(st.lists(st.integers(1, 50), min_size=20, max_size=60))
def test_a_chat_has_3000_characters_at_most(lengths: list[int]) -> None:
    assert len(description(*[make_breach(group={"remote_host": "`" * length}) for length in lengths])) <= 3_000


@pytest.mark.parametrize("number", [6, 1])
def test_the_notes_count_in_the_limit(number: int) -> None:
    entry = Ignore(user_name="*", reason="#" * 200)
    ignored = make_breach(group={"user_name": "`" * 50}, outcome="ignored", entry=entry)
    written = description(verdict=make_verdict(*[hostile(TICKS)] * 20, *[ignored] * number))
    assert written.count("• ") >= 3
    assert len(written) <= 3_000
