"""What to do about a group: which lines, and which names a command may hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st

from redshift_auth_alert.detection.findings import Breach, Known, Login
from redshift_auth_alert.message.advice import CASES, Advice, advise, quoted
from tests.conftest import NOON, ROOT, make_run
from tests.docs.documents import anchors
from tests.message.findings import MINUTE, OVER, alert, make_breach
from tests.message.test_document import SCHEMA
from tests.message.test_patterns import KNOWN, STEADY

LOCKED = (("ann", 9, 9, NOON, False, True), ("bob", 5, 2, NOON))
ADMIN = (("dba", 9, 9, NOON, True),)


def advice(run: dict[str, Any] | None = None, **facts: Any) -> Advice:
    """What to do about a group with these facts."""
    breach = make_breach(**facts)
    assert breach.details
    found = advise(breach, breach.details, make_run(**run or {}))
    assert found
    return found


def chat(breach: Breach) -> str:
    """What the chat says of a group."""
    return str(json.loads(alert(breach, message_format="chat").body)["content"]["description"])


def got_in(user: str) -> dict[str, Any]:
    return {"got_in": Login(NOON + 10 * MINUTE, user)}


@pytest.mark.parametrize(
    ("facts", "anchor", "first"),
    [
        (got_in("ann") | {"top_users": ADMIN}, "got-in", 'ALTER USER "ann" NOLOGIN;'),
        ({"own_failures": 14, "stranger": True}, "own-sign-ins", "correct the user or the password of this monitor's "),
        (STEADY | {"known": KNOWN, "top_users": ADMIN}, "admin-tried", "block the address now"),
        (STEADY | {"known": KNOWN}, "old-password", "correct the password in the job on that host"),
        ({"top_users": ADMIN, "stranger": True}, "admin-tried", "block the address now"),
        ({"top_users": LOCKED, "stranger": True}, "locked-out", "block the address first; then unlock:"),
        ({"first_login": Login(NOON, "bi")}, "shared-address", "others sign in from there"),
        ({"stranger": True}, "stranger", "block the address unless you know the host; it never signed in here before"),
        (STEADY, "old-password", "look for a job on that host; if there is none, block the address"),
        ({"known": KNOWN}, "alert", "find out who it is, or block the address"),
    ],
)
def test_the_case_is(facts: dict[str, Any], anchor: str, first: str) -> None:
    found = advice(**facts)
    assert found.anchor == anchor
    assert found.texts[0].startswith(first)


@pytest.mark.parametrize("anchor", sorted({"failed", "got-in", *(case.anchor for case in CASES)}))
def test_the_runbook_has_the_heading(anchor: str) -> None:
    assert anchor in anchors(ROOT / "docs" / "runbook.md")


def test_a_group_that_is_over_needs_nothing() -> None:
    assert OVER.details
    assert advise(OVER, OVER.details, make_run()) is None


@pytest.mark.parametrize(
    ("source", "sessions"),
    [
        (
            "stl_connection_log",
            "SELECT pg_terminate_backend(process) FROM stv_sessions WHERE user_name = 'o''neil';",
        ),
        (
            "sys_connection_log",
            "then end its sessions, by the statements in the runbook",
        ),
    ],
)
def test_who_got_in_is_locked_and_its_sessions_end(source: str, sessions: str) -> None:
    assert advice({"source": source}, **got_in("o'neil")).texts == ['ALTER USER "o\'neil" NOLOGIN;', sessions]


OURS = "find out whether 10.0.0.5 is one of your hosts; if it is not, lock the user: see the runbook"


@pytest.mark.parametrize("user", ["etl", "IAM:etl", "a;b"])
def test_a_user_that_signed_in_from_a_host_that_had_not_failed_gets_no_command_but_a_question(user: str) -> None:
    login = Login(NOON + 10 * MINUTE, user, host="10.0.0.5", host_failed=False)
    found = advice(group={"user_name": user}, got_in=login, stranger=True)
    assert (found.texts, found.anchor) == ([OURS], "got-in")


def test_a_user_that_signed_in_from_a_host_that_had_failed_is_locked() -> None:
    login = Login(NOON + 10 * MINUTE, "etl", host="203.0.113.9", host_failed=True)
    assert advice(group={"user_name": "etl"}, got_in=login).texts[0] == 'ALTER USER "etl" NOLOGIN;'


def test_the_host_in_the_question_is_shown_like_any_name_out_of_the_log() -> None:
    login = Login(NOON + 10 * MINUTE, "etl", host="a;\nb", host_failed=False)
    assert advice(group={"user_name": "etl"}, got_in=login).texts[0].startswith('find out whether "a;\\nb" is one of')


def test_a_double_quote_is_doubled_in_an_identifier() -> None:
    assert advice(**got_in('a"b')).texts[0] == 'ALTER USER "a""b" NOLOGIN;'


@pytest.mark.parametrize("user", ["IAM:ann", "IAMA:ann:group", "IAMR:role"])
def test_a_user_of_iam_loses_its_right_there(user: str) -> None:
    assert advice(**got_in(user)).texts == ["in IAM, take away its right to sign in; then end its sessions"]


def test_a_user_is_of_iam_only_where_the_prefix_is_in_capitals() -> None:
    assert advice(**got_in("iam:ann")).texts[0] == 'ALTER USER "iam:ann" NOLOGIN;'


STRANGER = {"stranger": True}
THEN = "then block the address"


@pytest.mark.parametrize(
    ("run", "user", "last"),
    [
        ({}, "ann", [THEN]),
        (
            {"source": "sys_connection_log"},
            "ann",
            [f"then end its sessions, by the statements in the runbook; {THEN}"],
        ),
        ({}, "IAM:ann", [f"in IAM, take away its right to sign in; then end its sessions; {THEN}"]),
        ({}, "a;b", [f"lock this user by hand (unsafe name); {THEN}"]),
    ],
    ids=["commands", "a command and a sentence", "IAM", "a name that is not safe to paste"],
)
def test_the_address_of_a_stranger_that_got_in_is_blocked_at_last(
    run: dict[str, Any], user: str, last: list[str]
) -> None:
    assert advice(run, **STRANGER, **got_in(user)).texts[-1:] == last


@pytest.mark.parametrize(
    "facts",
    [{"known": KNOWN, "stranger": False}, STRANGER | {"group": {"user_name": "ann"}}],
    ids=["a known host", "a user that never signed in before"],
)
def test_no_other_address_is_blocked_where_a_group_got_in(facts: dict[str, Any]) -> None:
    assert "block" not in " ".join(advice(**facts, **got_in("ann")).texts)


def test_what_comes_after_a_command_is_a_comment_in_the_text_so_that_both_can_be_pasted() -> None:
    body = alert(make_breach(**STRANGER, **got_in("ann"))).body
    steps = body.partition("What to do")[2].partition("    Failures")[0]
    assert steps.endswith(f" user_name = 'ann'; -- {THEN}\n")
    statements = [each.key for each in sqlglot.parse(steps, read="redshift") if each]
    assert statements == ["command", "select", "semicolon"]  # the last one is the comment


def test_what_comes_after_a_command_is_a_sentence_in_the_other_forms() -> None:
    breach = make_breach(**STRANGER, **got_in("ann"))
    document = json.loads(alert(breach, message_format="json").body)
    SCHEMA.validate(document)
    assert [text.endswith(";") for text in document["breaches"][0]["what_to_do"]] == [True, True, False]
    assert f"user_name = 'ann';` {THEN} (runbook: got-in)" in chat(breach)


def test_the_chat_shows_the_blank_of_a_command_without_markup() -> None:
    assert "`ALTER USER \"ann\" LOGIN PASSWORD '[new password]';`" in chat(make_breach(top_users=LOCKED))


def test_a_user_that_cloudtrail_names_loses_its_right_in_iam() -> None:
    run = {"source": "cloudtrail", "athena_conn_id": "athena"}
    assert advice(run, **got_in("ann")).texts == ["in IAM, take away its right to sign in; then end its sessions"]


@pytest.mark.parametrize(
    ("users", "unlock"),
    [
        (LOCKED, """ALTER USER "ann" LOGIN PASSWORD '<new password>';"""),
        ((LOCKED[0], ("bob", 9, 9, NOON, False, True)), "SHOW USER LOCKOUT;"),
        ((("a\\b", 9, 9, NOON, False, True),), "SHOW USER LOCKOUT;"),
    ],
    ids=["one", "several", "a name that is not safe to paste"],
)
def test_the_locked_user_is_unlocked(users: tuple[Any, ...], unlock: str) -> None:
    assert advice(top_users=users).texts[1] == unlock


WHICH = "find out which hosts these are, and block those that you do not know"


@pytest.mark.parametrize("group", [{"user_name": "ann"}, {"database_name": "dev"}], ids=["user", "database"])
@pytest.mark.parametrize(
    "facts",
    [{"first_login": Login(NOON, "bi")}, STRANGER, STEADY, {"known": KNOWN}],
    ids=["others sign in", "never signed in before", "a steady drip", "no case of its own"],
)
def test_a_group_without_a_host_gets_no_advice_on_one_host(group: dict[str, str], facts: dict[str, Any]) -> None:
    assert advice(group=group, **facts) == Advice((tuple(WHICH.split()),), "alert")


def test_a_group_of_a_host_and_a_user_gets_advice_on_that_host() -> None:
    assert advice(group={"remote_host": "192.0.2.1", "user_name": "ann"}, **STEADY).anchor == "old-password"


@pytest.mark.parametrize(
    ("group", "first"),
    [
        ({"user_name": "ann"}, "block the addresses that try this user first; then unlock:"),
        ({"database_name": "dev"}, "block the addresses that try it first; then unlock:"),
    ],
)
def test_a_group_without_a_host_speaks_of_several_addresses(group: dict[str, str], first: str) -> None:
    assert advice(group=group, top_users=LOCKED).texts[0] == first


@pytest.mark.parametrize(
    "name",
    [
        "", "a\nb", "a\rb", "a\tb", "a\x00b", "a\x1bb", "a\\b", "a\u202eb", "a\u200bb", "a\u2028b", "\u0430nn", "a;b",
        "a$b", "a{b", "a`b", "a--b", "a  b", " a", "x" * 50, "x" * 128, "IAM:ann", "IAMA:a:b", "IAMR:x", '"' * 30,
    ],
)  # fmt: skip
def test_no_command_names(name: str) -> None:
    assert quoted(name, '"') == ""
    assert not any(text.endswith(";") for text in advice(**got_in(name)).texts)


@pytest.mark.parametrize("name", ["ann", "o'neil", 'a"b', "ann.b@example.com", "etl job", "x" * 49, "a=b", "a/b", "-"])
def test_a_command_names(name: str) -> None:
    assert all(text.endswith(";") for text in advice(**got_in(name)).texts)


@given(st.text(st.characters(max_codepoint=0x24F), min_size=1, max_size=50) | st.text("a'\"-/*; ", min_size=1))
@example("'; DROP TABLE x; --")
@example('" NOLOGIN; DROP USER "x')
@example("x' OR '1'='1")
def test_each_command_is_one_statement_that_holds_the_name_as_one_name(name: str) -> None:
    commands = [text for text in advice(**got_in(name)).texts if text.endswith(";")]
    tokens = [sqlglot.tokenize(command, read="redshift") for command in commands]
    assert [[token.text for token in each if token.token_type.name in {"IDENTIFIER", "STRING"}] for each in tokens] in (
        [],
        [[name], [name]],
    )
    assert [len(sqlglot.parse(command, read="redshift")) for command in commands] == [1] * len(commands)


@given(st.text("ab'\"- @/=", min_size=1, max_size=49))
@example("=" * 41)
@example("a b" * 13)
@example("=" * 34 + '"' * 8)
def test_the_text_never_breaks_a_name(name: str) -> None:
    body = alert(make_breach(**got_in(name))).body
    lines = body.partition("    What to do")[2].partition("    Failures")[0].splitlines()
    identifier, literal = quoted(name, '"'), quoted(name, "'")
    named = [line for line in lines if identifier and (identifier in line or f"{literal};" in line)]
    assert len(named) == (2 if identifier and literal else 0)


@pytest.mark.parametrize(
    ("user", "source", "steps"),
    [
        pytest.param("@ann", "stl_connection_log", "see the runbook: got-in", id="no command"),
        pytest.param("@ann", "sys_connection_log", "see the runbook: got-in", id="no command, but a sentence"),
        pytest.param(
            "ann",
            "sys_connection_log",
            '`ALTER USER "ann" NOLOGIN;` then end its sessions, by the statements in the runbook; then block the '
            "address (runbook: got-in)",
            id="all",
        ),
    ],
)
def test_the_chat_shows_all_steps_or_none_of_them(user: str, source: str, steps: str) -> None:
    body = alert(make_breach(**STRANGER, **got_in(user)), message_format="chat", source=source).body
    assert json.loads(body)["content"]["description"].partition("; what to do: ")[2] == steps


def test_the_chat_gives_advice_on_the_worst_and_names_as_many_groups() -> None:
    body = alert(*[make_breach()] * 100, message_format="chat").body
    description = json.loads(body)["content"]["description"]
    assert 0 < description.count("what to do: ") < description.count("• ")


def test_the_json_form_says_what_it_looks_like_and_what_to_do() -> None:
    breach = json.loads(alert(make_breach(known=Known(1, NOON, Login(NOON, "etl"))), message_format="json").body)[
        "breaches"
    ][0]
    assert {name: breach[name] for name in ("looks_like", "attack_techniques", "what_to_do", "runbook")} == {
        "looks_like": "guessing 2 users in a burst",
        "attack_techniques": ["T1110.001"],
        "what_to_do": ["find out who it is, or block the address"],
        "runbook": "docs/runbook.md#alert",
    }
