"""The ocsf form against the schema that OCSF publishes; its package has no place among an MWAA image's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from redshift_auth_alert import __version__
from redshift_auth_alert.detection.findings import Breach, Verdict
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.alert import build_alert
from redshift_auth_alert.message.compose import compose_alert
from redshift_auth_alert.message.ocsf import SCHEMA_VERSION
from tests.conftest import NOON, make_run
from tests.docs.documents import blocks
from tests.message.findings import GOT_IN, MINUTE, OVER, alert, failure, make_breach, make_verdict
from tests.message.test_document import ALL_THERE_IS, PARTIAL
from tests.message.test_setup import EVENTS, SIGN_IN, setup_report

COLUMNS = ("remote_host", "user_name", "database_name", "warehouse")
PUBLISHED = get_ocsf_schema(SCHEMA_VERSION)
SCHEMA = Draft202012Validator(OcsfJsonSchemaEmbedded(PUBLISHED).get_class_schema("detection_finding"))
ATTRIBUTES = PUBLISHED["classes"]["detection_finding"]["attributes"]
ONE_LINE = replace(make_breach(), details=None)
MISSING = Interval(NOON - 60 * MINUTE, NOON)
EXAMPLE = [block for block in blocks("json") if block.page.name == "messages.md" and block.text.startswith("[")]


def findings(*breaches: Breach, verdict: Verdict | None = None, **more: Any) -> list[dict[str, Any]]:
    body = alert(*breaches, verdict=verdict, message_format="ocsf", remind_every_minutes=240, **more).body
    return list(json.loads(body))


def failed(run: Any, missing: Interval | None = None) -> list[dict[str, Any]]:
    return list(json.loads(failure(run, message_format="ocsf", missing=missing).body))


def recovered() -> list[dict[str, Any]]:
    run = replace(make_run(message_format="ocsf"), missing=MISSING)
    return list(json.loads(compose_alert(build_alert(make_verdict(), run)).body))


CASES = {
    "new": findings(make_breach()),
    "ongoing": findings(make_breach(ongoing=True)),
    "over": findings(OVER),
    "got in": findings(GOT_IN),
    "in one line": findings(ONE_LINE),
    "all there is": findings(verdict=ALL_THERE_IS),
    "none named": findings(verdict=make_verdict(new=3)),
    "partial": findings(verdict=make_verdict(coverage=PARTIAL)),
    "recovered": recovered(),
    "one cluster": findings(source="audit_log_s3", athena_conn_id="athena", cluster="prod"),
    "failed": failed(make_run()),
    "failed again": failed(make_run(), MISSING),
    "invalid settings": failed(None),
    "test": json.loads(setup_report(SIGN_IN, EVENTS, message_format="ocsf").body),
}
EACH = [pytest.param(each, id=f"{name} {each['activity_name']}") for name, case in CASES.items() for each in case]


@pytest.mark.parametrize("finding", EACH)
def test_each_finding_keeps_the_published_schema(finding: dict[str, Any]) -> None:
    SCHEMA.validate(finding)


@pytest.mark.parametrize("finding", EACH)
@pytest.mark.parametrize("name", ["activity", "class", "category", "severity"])
def test_each_caption_is_the_one_of_its_number(finding: dict[str, Any], name: str) -> None:
    number, caption = {
        "activity": ("activity_id", "activity_name"),
        "class": ("class_uid", "class_name"),
        "category": ("category_uid", "category_name"),
        "severity": ("severity_id", "severity"),
    }[name]
    assert finding[caption] == ATTRIBUTES[number]["enum"][str(finding[number])]["caption"]


@settings(max_examples=settings().max_examples // 3)
@given(st.text(max_size=50) | st.ip_addresses().map(str), *[st.text(max_size=50)] * 3)
def test_whatever_names_the_log_holds_keep_the_schema(host: str, user: str, database: str, warehouse: str) -> None:
    group = dict(zip(COLUMNS, (host, user, database, warehouse), strict=True))
    breach = make_breach(group=group, top_users=((user, 9),))
    source = {"source": "sys_connection_log_s3", "athena_conn_id": "athena", "namespace": "n_sys"}
    for finding in findings(breach, group_by=COLUMNS, **source):
        SCHEMA.validate(finding)


@pytest.mark.parametrize(
    "wrong",
    [
        {"more": 1},
        {"severity_id": 9},
        {"time": "2026-03-01T12:00:00Z"},
        {"evidences": [{}]},
        {"evidences": [{"src_endpoint": {"ip": "localhost"}}]},
    ],
    ids=str,
)
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(CASES["new"][0] | wrong)


def test_the_page_shows_a_message_as_it_is_written() -> None:
    [block] = EXAMPLE
    [example] = json.loads(block.text)
    example["metadata"]["product"]["version"] = __version__
    assert [example] == findings(ONE_LINE, environment="production")
