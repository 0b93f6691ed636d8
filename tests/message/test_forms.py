"""The forms json and chat, and what all forms have in common."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from redshift_auth_alert.detection.judge import Coverage, Login
from redshift_auth_alert.message.alert import compose_document, failure_message
from redshift_auth_alert.message.chat import plain
from redshift_auth_alert.settings.entries import Ignore
from redshift_auth_alert.settings.monitors import Monitor
from tests.conftest import NOON, ROOT, make_run
from tests.message.test_text import MINUTE, MONITOR, alert, make_breach, make_verdict

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "message.schema.json").read_text()))
GATEWAY = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 12, 31))
CLOSING = make_breach(failures=0, parts=(0,) * 12, ongoing=True, over=True, first_failure_at=None, last_failure_at=None,
                      first_breach_at=None, last_breach_at=NOON - 5 * MINUTE, users_tried=0, top_users=())  # fmt: skip
OVER = {"to_tell": (), "closing": (CLOSING,), "new_groups": 0, "over_groups": 1}
PARTIAL = Coverage("stl_connection_log", "partial", "from 12:03 on only", unreadable_lines=2)
FULL = {
    "critical_groups": 1, "held_back_groups": 2, "ongoing_groups": 3, "ignored": (make_breach(entry=GATEWAY),),
    "ignored_groups": 7, "unchecked_groups": 4, "coverage": PARTIAL,
}  # fmt: skip
GOT_IN = make_breach(got_in=Login(NOON + 10 * MINUTE, "admin"), first_login=Login(NOON + 6 * MINUTE, "etl"))


def document(*breaches: Any, **more: Any) -> dict[str, Any]:
    return dict(json.loads(alert(*breaches, message_format="json", **more).body))


@pytest.mark.parametrize(
    ("breaches", "verdict"),
    [((), {}), ((GOT_IN,), FULL), ((), OVER), ((CLOSING,), {"ongoing_groups": 1})],
    ids=["new", "all there is", "over", "without a failure in the interval"],
)
def test_the_json_form_keeps_its_schema(breaches: tuple[Any, ...], verdict: dict[str, Any]) -> None:
    SCHEMA.validate(document(*breaches, verdict=verdict))


@given(st.text(max_size=50))
def test_the_json_form_gives_names_as_they_are(name: str) -> None:
    written = document(make_breach(group={"remote_host": name}, top_users=((name, 9),)))
    SCHEMA.validate(written)
    assert written["breaches"][0]["group"] == {"remote_host": name}
    assert written["breaches"][0]["top_users"] == [{"user": name, "failures": 9}]


def test_the_json_form_says_all_that_the_text_says() -> None:
    written = document(GOT_IN, told=5, verdict=FULL)
    assert written["severity"] == "critical"
    assert written["interval"] == {"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:30:00Z"}
    assert written["groups"] == {
        "told": 6, "new": 5, "ongoing": 3, "critical": 1, "held_back": 2, "over": 0, "ignored": 7, "unchecked": 4,
    }  # fmt: skip
    assert written["breaches"][0]["got_in"] == {"at": "2026-03-01T12:10:00Z", "user": "admin"}
    assert written["ignored"][0]["ignore_entry"]["reason"] == "BI gateway"


def test_the_schema_refuses_a_key_that_it_does_not_know() -> None:
    assert not SCHEMA.is_valid(document() | {"more": 1})


@pytest.mark.parametrize("run", [make_run(message_format="json"), None])
def test_a_failure_keeps_the_schema(run: Any) -> None:
    monitor = Monitor(dag_id="dag", file=MONITOR.file, settings=make_run(message_format="json").settings)
    written = json.loads(failure_message(monitor, run, "scheduled__1", "query_auth_failures", "why").body)
    SCHEMA.validate(written)
    assert (written["reason"], written["interval"] is None) == ("why", run is None)


def test_the_asset_event_holds_the_json_form_whatever_is_published() -> None:
    SCHEMA.validate(compose_document(make_verdict(GOT_IN, critical_groups=1), make_run(message_format="text")))


def chat(*breaches: Any, **more: Any) -> dict[str, Any]:
    return dict(json.loads(alert(*breaches, message_format="chat", **more).body))


def test_the_chat_form_is_a_custom_notification() -> None:
    written = chat(GOT_IN, verdict={"critical_groups": 1})
    assert (written["version"], written["source"]) == ("1.0", "custom")
    assert written["content"] == {
        "textType": "client-markdown",
        "title": ":rotating_light: [CRITICAL] (test) Redshift authentication failures: 1 remote host",
        "description": """\
1 remote host with 10 or more authentication failures within 30 minutes.
1 of them GOT IN as a user that it had failed as.
Interval 2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC, source stl_connection_log
• `203.0.113.7` 14 failures, new, GOT IN; peak 15 failures within 30 minutes; \
*GOT IN* 2026-03-01 12:10:00 UTC as `admin`; tried `admin` (9), `root` (5)""",
        "keywords": ["critical", "test", "redshift_auth_failure_alert"],
    }


def test_a_lapsed_entry_of_the_ignore_list_is_told_in_a_chat_too() -> None:
    lapsed = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 2, 28))
    description = chat(make_breach(entry=lapsed))["content"]["description"]
    assert description.endswith("; the ignore list held it until 2026-02-28 (BI gateway); lapsed")


def thread(**more: Any) -> str:
    return str(chat(**more)["metadata"]["threadId"])


def test_what_comes_of_an_attack_goes_into_its_thread() -> None:
    later = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}
    assert thread() == thread(**later) == thread(**later, verdict=OVER)
    assert thread() != thread(start=NOON + timedelta(days=1), end=NOON + timedelta(days=1, minutes=30))


@given(st.text("<>@!#`*_~|[]()&\\\n ahx", max_size=30))
def test_no_name_can_mention_anybody_or_write_markup_in_a_chat(name: str) -> None:
    description = chat(make_breach(group={"remote_host": name}, top_users=((name, 9), ("root", 5))))["content"][
        "description"
    ]
    line = description.splitlines()[-1]
    assert len(description.splitlines()) == 3
    assert line.count("`") == 6
    assert not set("<>&*~|#!") & set(line)
    assert not re.search(r"\]\(|(?<![a-z])@", line)


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("ann@example.com", "ann@example.com"),
        ("@here", "\\x40here"),
        ("<!channel>", "\\x3c\\x21channel\\x3e"),
        ("[mend](http://x)", "[mend\\x5d(http://x)"),
        ("[local]", "[local]"),
    ],
)
def test_mentions_and_links_are_escaped_and_a_mail_address_is_not(words: str, written: str) -> None:
    assert plain(words) == written


def test_a_chat_shows_as_many_whole_groups_as_it_can_and_counts_the_others() -> None:
    breaches = [make_breach(group={"remote_host": "\N{PILE OF POO}" * 50}) for _ in range(100)]
    description = chat(*breaches, told=1_000)["content"]["description"]
    shown = description.count("• ")
    assert 5 < shown < 100
    assert description.endswith(f"... and {1_000 - shown} remote hosts more")
    assert len(description) < 3_300


@pytest.mark.parametrize("message_format", ["text", "json", "chat"])
def test_no_form_passes_the_limit_of_sns(message_format: str) -> None:
    name = "\N{PILE OF POO}" * 50
    users = tuple((name, 9) for _ in range(5))
    group = {"remote_host": name, "user_name": name, "database_name": name}
    breaches = [make_breach(group=group, top_users=users) for _ in range(100)]
    body = alert(*breaches, told=1_000_000, message_format=message_format).body
    assert len(json.dumps({"default": body})) < 262_144


@pytest.mark.parametrize("message_format", ["text", "json", "chat"])
def test_every_form_has_the_same_attributes(message_format: str) -> None:
    assert alert(message_format=message_format).attributes == alert().attributes


@pytest.mark.parametrize("message_format", ["text", "json", "chat"])
def test_a_failure_is_told_in_the_form_of_the_monitor(message_format: str) -> None:
    settings = make_run(message_format=message_format).settings
    body = failure_message(Monitor(dag_id="dag", file=MONITOR.file, settings=settings), None, "r", "t", "why <b>").body
    assert body.startswith(
        {"text": "An interval could not", "json": '{"version"', "chat": '{"version"'}[message_format]
    )
