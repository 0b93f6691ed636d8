"""Whatever text somebody signs in with: from the statement's rows to the message that SNS is sent.

The rows are the real statement's, with its names replaced.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from types import SimpleNamespace
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlglot
from airflow.sdk import DAG
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from redshift_auth_alert.detection.candidates import is_federated, read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.verdict import fit_budget
from redshift_auth_alert.message import words
from redshift_auth_alert.tasks.check import check_threshold
from tests.conftest import NOON, ROOT, TOPIC, make_run, measure, render_statement
from tests.detection.events import Events
from tests.tasks.conftest import Pushed
from tests.tasks.dagbag import DagBag

COLUMNS = ("remote_host", "user_name", "database_name")
GROUPINGS = [columns for number in (1, 2, 3) for columns in combinations(COLUMNS, number)]
FORMS = ["text", "json", "chat", "ocsf"]
FRAGMENTS = [
    "", " ", "\t", "\n", "\r\n\r\n", "\n203.0.113.7 [99 times] new", "\n    Peak  ", "  GOT IN  ", "|", "'", '"', "\\",
    "{{ var.value.secret }}", "{{ 1/0 }}", "{% raw %}", "{#", "%s", "\x00", "\x1b[31m", "\x1b]0;x\x07", "\x7f", "`",
    "\x9b2J", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\uffff", "\ue000", "e\u0301", "\U0001f4a9", "(empty)",
    "<!channel>", "@here", "*bold*", "[x](http://x)", "<b>", "&amp;", "](", "\n\nIgnored", "... and 9 more", "$(id)",
    "'; DROP TABLE x; --", "\U0010ffff",
]  # fmt: skip
names = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=3).map("".join)
pairs = st.lists(names, min_size=2, max_size=2, unique=True)
# Nobody has a blank name, and nobody who signs in by IAM is locked out: the second of a case's users may be.
users = pairs.filter(lambda pair: bool(pair[1].strip()) and not is_federated(pair[1]))
# Two names for each column: those of a host that got in, and those of one that did not.
MARKERS = {column: (f"{column}-0", f"{column}-1") for column in COLUMNS}
REAL_NAMES = {column: list(marks) for column, marks in MARKERS.items()}
# What SQS takes where a subscription delivers raw messages:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
FOR_SQS = re.compile("[\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "message.schema.json").read_text()))
LIST_LOCKED = "SHOW USER LOCKOUT;"
# All that a command may consist of: names of the log stand in quotes only.
SHAPES = {
    "ALTER USER ? NOLOGIN ;",
    "SELECT pg_terminate_backend ( process ) FROM stv_sessions WHERE user_name = ? ;",
    "ALTER USER ? LOGIN PASSWORD ? ;",
    LIST_LOCKED,
}
_ADVICE = re.compile(r"; what to do: .*")
LOG = logging.getLogger("redshift_auth_alert.tasks.check")

Names = Mapping[str, list[str]]


class Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(scope="module")
def tables(logs: psycopg.Connection) -> dict[tuple[str, ...], str]:
    """The statement's table for each group_by, as JSON, of two hosts of which the first got in."""
    minute = timedelta(minutes=1)
    log: Events = []
    for number in (0, 1):
        who = [MARKERS[column][number] for column in COLUMNS]
        log += [("authentication failure", NOON + place * minute, *who) for place in range(12)]
    log.append(("authenticated", NOON + 13 * minute, *(MARKERS[column][0] for column in COLUMNS)))
    found = {}
    for group_by in GROUPINGS:
        rows = measure(logs, make_run(group_by=group_by), log)
        plain = {"columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}
        found[group_by] = json.dumps(plain, default=lambda moment: moment.isoformat())
    return found


@pytest.fixture(scope="module")
def dag() -> DAG:
    return DagBag(str(ROOT / "dags")).dags["redshift_auth_failure_alert"]


@pytest.fixture(scope="module")
def honestly() -> dict[Any, Pushed]:
    """What the check pushes for harmless names, by the rest of the case."""
    return {}


@pytest.fixture(scope="module")
def heard() -> Iterator[Heard]:
    heard = Heard()
    LOG.addHandler(heard)
    yield heard
    LOG.removeHandler(heard)


def run_check(table: str, run: Evaluation, called: Names) -> Pushed:
    """Run the check on the table with these names, and return what it pushes; values pass as XCom passes them."""
    replaced = {mark: called[column][place] for column in COLUMNS for place, mark in enumerate(MARKERS[column])}
    whole = json.loads(table)
    whole["rows"] = [[replaced.get(value, value) for value in row] for row in whole["rows"]]
    found = json.loads(json.dumps(fit_budget(read_candidates(whole, run), run)))
    pushed = Pushed()
    assert check_threshold(found, run, pushed) == "publish_alert"
    return pushed


def published(dag: DAG, pushed: Pushed) -> Any:
    """publish_alert, its templates rendered by Airflow."""
    task = dag.get_task("publish_alert").prepare_for_execution()
    ti = SimpleNamespace(run_id="scheduled__1", task_id=task.task_id, xcom_pull=lambda key, **_: pushed[key])
    dag_run = SimpleNamespace(conf={})
    variables = {"value": SimpleNamespace(redshift_auth_alert_topic_arn=TOPIC, secret="evaluated")}
    task.render_template_fields(
        {"dag": dag, "dag_run": dag_run, "ti": ti, "var": variables}, task.get_template_env(dag)
    )
    return task


def outline(body: str, fixed: set[str], groups: list[str]) -> list[str]:
    """What each line of a text begins with: the label of a fact, a group's name or a sentence.

    Lines that go on are left out: they begin with two blanks, or with the width of the labels.
    """
    return [_beginning(line, fixed, groups) for line in body.split("\n") if not re.match(r" {2}(?! )| {5}", line)]


def _beginning(line: str, fixed: set[str], groups: list[str]) -> str:
    if line.startswith("    What to do  "):  # its words say whether a name is safe to paste
        return "what to do"
    if line in fixed:
        return line
    if label := re.match(r" {4}.{12}|Ignored, though they reached the threshold: ", line):
        return label[0]
    return "a group" if line.startswith(tuple(group[:2] for group in groups)) else line


def around_names(body: str) -> list[Any]:
    """What findings say without their messages, which name ignored groups, and without the names of their groups."""
    return [
        finding | {"message": None, "evidences": [sorted(each) for each in finding.get("evidences", [])]}
        for finding in json.loads(body)
    ]


def commands(document: Any) -> list[str]:
    """The commands that a document says to run."""
    return [line for breach in document["breaches"] for line in breach.get("what_to_do", []) if line.endswith(";")]


def shape(command: str) -> str:
    """A command as Redshift reads it, each name or text in quotes as a question mark."""
    if command == LIST_LOCKED:  # which the parser does not know
        return command
    tokens = sqlglot.tokenize(command, read="redshift")
    return " ".join("?" if each.token_type.name in {"IDENTIFIER", "STRING"} else each.text for each in tokens)


def markup(text: str) -> Counter[str]:
    """How often each character is there that a chat client reads as markup."""
    return Counter(char for char in text if char in "`*<>&~|#!")


def named(called: Names, columns: tuple[str, ...]) -> list[str]:
    """Both groups as messages name them."""
    return [words.name({column: called[column][place] for column in columns}) for place in (0, 1)]


class Case(NamedTuple):
    """The names of both hosts, and how the monitor writes of them; ``ignores`` all that have not got in."""

    called: dict[str, list[str]]
    group_by: tuple[str, ...]
    form: str
    ignores: bool

    @property
    def run(self) -> Evaluation:
        ignorable = [column for column in self.group_by if column != "remote_host"] if self.ignores else []
        ignore = [{column: "*", "reason": "known"} for column in ignorable]
        return make_run(group_by=self.group_by, message_format=self.form, ignore=ignore)


cases = st.builds(
    Case,
    st.fixed_dictionaries(dict.fromkeys(COLUMNS, pairs) | {"user_name": users}),
    st.sampled_from(GROUPINGS),
    st.sampled_from(FORMS),
    st.booleans(),
)


@given(cases)
@example(Case({column: ["", "\uffff"] for column in COLUMNS}, ("user_name",), "json", ignores=False))
def test_no_name_alters_what_is_said_around_it(
    tables: dict[tuple[str, ...], str], dag: DAG, heard: Heard, honestly: dict[Any, Pushed], case: Case
) -> None:
    called, group_by, form, ignores = case
    run = case.run
    if (group_by, form, ignores) not in honestly:
        honestly[group_by, form, ignores] = run_check(tables[group_by], run, REAL_NAMES)
    honest = honestly[group_by, form, ignores]
    heard.lines.clear()
    pushed = run_check(tables[group_by], run, called)

    task = published(dag, pushed)
    sent = task.message
    assert (task.subject, sent, task.message_attributes) == tuple(
        pushed[part] for part in ("subject", "body", "attributes")
    )
    assert task.target_arn == TOPIC
    assert task.subject == honest["subject"]
    assert len(task.subject) <= 99
    assert (task.subject.isascii(), task.subject.isprintable()) == (True, True)
    assert task.message_attributes == honest["attributes"]
    assert len(json.dumps({"default": sent})) < 262_144
    assert FOR_SQS.fullmatch(sent)
    assert all(line.isprintable() for line in heard.lines)

    SCHEMA.validate(pushed["document"])
    written = commands(pushed["document"])
    assert {shape(command) for command in written} <= SHAPES
    assert form != "text" or all(command in " ".join(sent.split()) for command in written)
    said = [breach["group"] for breach in pushed["document"]["breaches"]]
    assert said[0] == {column: called[column][0] for column in group_by}
    if form == "text":
        lines = honest["body"].split("\n")
        fixed = {line for line in lines if not any(name in line for both in MARKERS.values() for name in both)}
        expected = outline(honest["body"], fixed, named(REAL_NAMES, group_by))
        assert outline(sent, fixed, named(called, group_by)) == expected
        assert all(line.isprintable() for line in sent.split("\n"))
    elif form == "json":
        assert json.loads(sent) == pushed["document"]
    elif form == "ocsf":
        assert around_names(sent) == around_names(honest["body"])
        assert json.loads(sent)[0]["evidences"][0]["data"]["got_in"]["user"] == called["user_name"][0]
        assert all(finding["message"].isprintable() for finding in json.loads(sent))
    else:
        description, plain = (json.loads(body)["content"]["description"] for body in (sent, honest["body"]))
        if not description.endswith(" more"):
            assert len(description.splitlines()) == len(plain.splitlines())
            assert markup(_ADVICE.sub("", description)) == markup(_ADVICE.sub("", plain))
            assert not re.search(r"\]\(|(?<![A-Za-z0-9])@", description)


@given((st.sampled_from(FRAGMENTS) | st.text(max_size=127)).filter(str.strip), st.sampled_from(FRAGMENTS))
def test_no_entry_of_the_settings_alters_the_statement(pattern: str, reason: str) -> None:
    entry, group_by = {"user_name": pattern}, ("user_name",)
    reason = "".join(char for char in reason if char.isprintable()).strip() or "none"
    run = make_run(
        group_by=group_by, ignore=[entry | {"reason": reason}], thresholds=[entry | {"threshold": 10}], environment="'"
    )
    assert render_statement(run) == render_statement(make_run(group_by=group_by))


@settings(max_examples=settings().max_examples // 10)  # each takes as long as ten
@given(
    st.lists(st.integers(0, 300_000), min_size=2, max_size=2, unique=True),
    st.sampled_from(["x", "\n", "\N{PILE OF POO}", "\x1b", "`", " "]),
    st.sampled_from(GROUPINGS),
    st.sampled_from(FORMS),
)
@example([300_000, 299_999], "\N{PILE OF POO}", COLUMNS, "text")
def test_no_length_of_a_name_exceeds_what_xcom_and_sns_take(
    tables: dict[tuple[str, ...], str], lengths: list[int], char: str, group_by: tuple[str, ...], form: str
) -> None:
    run = make_run(group_by=group_by, message_format=form)
    called = {column: [char * length for length in lengths] for column in COLUMNS}
    pushed = run_check(tables[group_by], run, called)
    assert pushed["attributes"]["new_groups"] == 2
    assert len(json.dumps({"default": pushed["body"]})) < 262_144
    assert len(json.dumps(pushed["document"])) < 262_144
