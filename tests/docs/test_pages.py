"""The project's pages: what they show is valid, what they name is there. What they say to run, tests/docs runs."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import botocore.session
import pytest
import sqlglot
import yaml
from botocore import xform_name
from sqlglot import exp

from redshift_auth_alert.settings.model import Settings, validated
from tests.conftest import ROOT, TOPIC
from tests.docs.documents import PAGES, Block, anchors, blocks


def aws_commands(block: Block) -> list[list[str]]:
    """Service, operation and what follows of each command of the AWS CLI in a block."""
    words = shlex.split(block.text, comments=True)
    starts = [place for place, word in enumerate(words) if word == "aws" or word.endswith("$(aws")]
    return [words[start + 1 : end] for start, end in pairwise([*starts, len(words)])]


AWS = [command for block in blocks("sh needs-aws") for command in aws_commands(block)]
ABBREVIATIONS = {"s3api": "s3"}


def test_each_block_says_what_it_is() -> None:
    assert {block.kind for block in blocks()} <= {"", "sh", "sh needs-aws", "sh long", "sql", "yaml", "json", "python"}


@pytest.mark.parametrize("block", blocks(""), ids=str)
def test_a_block_without_a_kind_holds_no_command(block: Block) -> None:
    assert not re.search(r"^(make|airflow|aws|python|export|curl) ", block.text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_an_indented_block(page: Path) -> None:
    outside = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^    \S", outside, re.MULTILINE)


OWN_TEST = ROOT / "docs" / "fleet.md"  # its files make sense together: test_fleet.py


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if block.page != OWN_TEST], ids=str)
def test_each_monitor_file_is_valid(block: Block) -> None:
    content = {"environment": "production", "sns_topic_arn": TOPIC} | yaml.safe_load(block.text)
    assert validated(Settings, content, str(block))


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_each_json_document_is_valid(block: Block) -> None:
    assert json.loads(block.text)


# sqlglot takes any words behind ALTER USER and its like, so these must have one of the forms on the page of evidence.
FORMS = [
    re.escape(form).replace("NAME", r"""(\w+|"[\w:]+")""").replace("NUMBER", r"\d+")
    for form in re.findall(
        r"^\| `(.*?)` \|",
        (ROOT / "docs" / "evidence.md").read_text().partition("## Statements to run by hand")[2].partition("\n## ")[0],
        re.MULTILINE,
    )
]


def unproven_statements(sql: str) -> list[str]:
    """The statements that are neither a query that sqlglot reads nor of one of the forms."""
    texts = [" ".join(text.split()) for text in sql.split(";") if text.strip()]
    no_queries = [text for text in texts if not isinstance(sqlglot.parse_one(text, dialect="redshift"), exp.Query)]
    return [text for text in no_queries if not any(re.fullmatch(form, text) for form in FORMS)]


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_each_statement_is_a_query_or_has_a_row_in_the_evidence(block: Block) -> None:
    assert unproven_statements(block.text) == []


@pytest.mark.parametrize(
    "statement",
    [
        'ALTER USER "name" NOLOGINX',
        'ALTER USER "name" NOLOGIN BANANA',
        "ALTER USER name LOGIN PASSWORD <new password>",
        "ALTER USER name SET statement_timeout TO long",
        "SHOW USERS LOCKOUT",
        "GRANT ALTER USERS TO ROLE may_lock",
        "GRANT SELCT ON sys_connection_log TO auth_monitor",
        "DROP USER auth_monitor CASCADE",
    ],
)
def test_a_statement_with_a_typo_is_refused(statement: str) -> None:
    assert unproven_statements(f"SELECT 1;\n{statement};") == [statement]


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_each_line_of_python_stands_in_the_dag_file(block: Block) -> None:
    dag = {line.strip() for line in (ROOT / "dags" / "redshift_auth_failure_alert.py").read_text().splitlines()}
    assert {line.strip() for line in block.text.splitlines()} - {"..."} <= dag


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text())
    own = [(page.parent / target if target else page, anchor) for target, anchor in links if "://" not in target]
    assert [
        (file.name, anchor) for file, anchor in own if not file.exists() or (anchor and anchor not in anchors(file))
    ] == []


def test_each_target_of_make_is_there() -> None:
    named = {name for block in blocks() for name in re.findall(r"^make (?:-\S+ )*([a-z-]+)", block.text, re.MULTILINE)}
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "deploy", "undeploy", "bundle"} <= named <= there


@pytest.mark.parametrize("command", AWS, ids=lambda command: " ".join(command[:2]))
def test_each_command_of_the_aws_cli_is_one(command: list[str]) -> None:
    service, operation = command[:2]
    options = {word.split("=")[0] for word in command if word.startswith("--")} - {"--query", "--output"}
    if (service, operation) == ("cloudformation", "deploy"):  # the CLI's own
        assert options <= {"--template-file", "--stack-name", "--capabilities", "--parameter-overrides"}
        return
    model = botocore.session.get_session().get_service_model(ABBREVIATIONS.get(service, service))
    named = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in named
    shape = model.operation_model(named[operation]).input_shape
    assert options <= {f"--{xform_name(name, '-')}" for name in shape.members}


def test_each_parameter_that_is_named_is_one_of_the_template() -> None:
    template = (ROOT / "deploy" / "template.yaml").read_text()
    parameters = template[template.index("\nParameters:") : template.index("\nRules:")]
    there = set(re.findall(r"^  (\w+):$", parameters, re.MULTILINE))
    named = set(re.findall(r"\b([A-Z][a-z]+[A-Z]\w+)=[^=]", "".join(page.read_text() for page in PAGES)))
    assert {"ExecutionRoleArn", "UserParameter", "ClusterIdentifier", "WorkgroupArn"} <= named <= there
