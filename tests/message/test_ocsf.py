"""The ocsf form. tests/siem holds it against the published schema."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert import __version__
from redshift_auth_alert.detection.findings import Breach, Login, Verdict
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.alert import build_alert
from redshift_auth_alert.message.compose import MESSAGE_LIMIT, compose_alert
from tests.conftest import NOON, ROOT, make_run
from tests.message.findings import GOT_IN, MINUTE, OVER, alert, failure, make_breach, make_verdict
from tests.message.test_document import PARTIAL

ONGOING = make_breach(group={"remote_host": "203.0.113.8"}, ongoing=True)
MISSING = Interval(NOON - 60 * MINUTE, NOON)
NOON_MS = 1_772_366_400_000


def findings(*breaches: Breach, verdict: Verdict | None = None, **more: Any) -> list[dict[str, Any]]:
    return list(json.loads(alert(*breaches, verdict=verdict, message_format="ocsf", **more).body))


def failed(run: Any, **more: Any) -> dict[str, Any]:
    [finding] = json.loads(failure(run, message_format="ocsf", **more).body)
    return dict(finding)


def states(written: list[dict[str, Any]]) -> list[tuple[str, str, str, list[str]]]:
    return [
        (each["activity_name"], each["status"], each["severity"], each["finding_info"]["types"]) for each in written
    ]


def techniques(finding: dict[str, Any]) -> list[str]:
    return [attack["technique"]["uid"] for attack in finding["finding_info"]["attacks"]]


def test_each_state_of_the_groups_is_a_finding_of_its_own() -> None:
    written = findings(make_breach(), ONGOING, OVER)
    assert states(written) == [
        ("Create", "New", "Medium", ["authentication failures"]),
        ("Update", "Ongoing", "Medium", ["authentication failures"]),
        ("Close", "Over", "Informational", ["authentication failures"]),
    ]
    assert [each["type_uid"] for each in written] == [200401, 200402, 200403]
    assert [each["is_alert"] for each in written] == [True, True, False]
    assert [[evidence["src_endpoint"]["ip"] for evidence in each["evidences"]] for each in written] == [
        ["203.0.113.7"],
        ["203.0.113.8"],
        ["203.0.113.7"],
    ]


def test_a_finding_has_the_same_id_in_a_retry() -> None:
    [first], [second] = findings(), findings()
    assert first == second
    assert first["finding_info"]["uid"] == first["metadata"]["uid"]


def test_a_finding_has_another_id_in_another_state_or_run() -> None:
    several = [*findings(make_breach(), ONGOING, OVER), *findings(run_type="manual")]
    assert len({each["finding_info"]["uid"] for each in several}) == 4


def test_a_finding_names_its_alert_and_when_it_was() -> None:
    [finding] = findings()
    assert finding["metadata"]["correlation_uid"] == alert(message_format="ocsf").attributes["alert_id"]
    assert (finding["start_time"], finding["end_time"]) == (NOON_MS, NOON_MS + 30 * 60_000)
    assert finding["time"] == finding["end_time"]


def test_the_tags_are_the_messages_attributes_and_the_run() -> None:
    tags = {tag["name"]: tag["value"] for tag in findings()[0]["metadata"]["tags"]}
    attributes = alert(message_format="ocsf").attributes
    assert tags == {name: str(value) for name, value in attributes.items()} | {"run_id": "scheduled__1"}


@pytest.mark.parametrize(
    ("breach", "severity"),
    [
        (make_breach(), "Medium"),
        (GOT_IN, "Critical"),
        (make_breach(top_users=(("admin", 9, 0, None, True),)), "Critical"),
    ],
    ids=["failures", "got in", "admin"],
)
def test_the_severity_of_a_finding_is_that_of_its_worst_group(breach: Breach, severity: str) -> None:
    assert [each["severity"] for each in findings(breach, ONGOING)] == [severity, "Medium"]


def test_a_group_that_got_in_used_a_valid_account() -> None:
    new, ongoing = findings(GOT_IN, ONGOING)
    assert techniques(new) == ["T1110", "T1078"]
    assert techniques(ongoing) == ["T1110"]
    assert new["evidences"][0]["actor"] == {"user": {"name": "admin"}}


def test_a_group_in_full_says_all_that_the_json_form_says() -> None:
    [finding], document = findings(GOT_IN), json.loads(alert(GOT_IN, message_format="json").body)
    said = dict(document["breaches"][0])
    del said["group"], said["ongoing"]
    assert said.items() <= finding["evidences"][0]["data"].items()


def test_a_group_beyond_max_groups_says_four_facts() -> None:
    [finding] = findings(make_breach(), make_breach(), max_groups=1)
    assert finding["evidences"][1] == {
        "src_endpoint": {"ip": "203.0.113.7"},
        "data": {"failures": 14, "critical": False, "admin": False, "over": False},
    }


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("203.0.113.7", {"ip": "203.0.113.7"}),
        ("2001:DB8:0:0:0:0:0:1", {"ip": "2001:db8::1"}),
        ("[local]", {"name": "[local]"}),
        ("203.0.113.7 ", {"name": "203.0.113.7 "}),
        ("203.0.113.07", {"name": "203.0.113.07"}),
        ("fe80::1%\u202e", {"name": "fe80::1%\u202e"}),
        ("", {"name": ""}),
    ],
)
def test_only_an_address_is_called_one(host: str, endpoint: dict[str, str]) -> None:
    [finding] = findings(make_breach(group={"remote_host": host}))
    assert finding["evidences"][0]["src_endpoint"] == endpoint


@given(st.text(max_size=50), st.text(max_size=50))
def test_names_are_as_they_are_in_the_log(user: str, database: str) -> None:
    group = {"user_name": user, "database_name": database}
    [finding] = findings(make_breach(group=group), group_by=["user_name", "database_name"])
    [evidence] = finding["evidences"]
    assert (evidence["user"], evidence["database"]) == ({"name": user}, {"name": database, "type_id": 1})


def test_1000_groups_are_all_named_in_one_message() -> None:
    breaches = [
        make_breach(
            group={"remote_host": f"2001:db8:1234:5678:9abc:def0:1234:{number:x}"},
            ongoing=number % 2 == 0,
            got_in=Login(NOON, "administrator"),
            top_users=(("administrator", 9),) * 5,
        )
        for number in range(1_000)
    ]
    body = alert(*breaches, message_format="ocsf").body
    assert [len(each["evidences"]) for each in json.loads(body)] == [500, 500]
    assert len(json.dumps(body)) <= MESSAGE_LIMIT


def test_a_finding_says_how_many_groups_it_does_not_name() -> None:
    new, over = findings(verdict=make_verdict(make_breach(), OVER, new=5, unjudged=4))
    assert new["metadata"]["is_truncated"] is True
    assert new["finding_info"]["title"] == "Redshift authentication failures: 9 remote hosts new"
    assert "8 remote hosts new not named here." in new["message"]
    assert "is_truncated" not in over["metadata"]


def test_groups_that_nobody_judged_are_reported_as_new() -> None:
    [finding] = findings(verdict=make_verdict(unjudged=4))
    assert (finding["activity_name"], finding["evidences"]) == ("Create", [])


def test_an_interval_seen_in_part_is_a_finding_beside_those_of_the_groups() -> None:
    written = findings(verdict=make_verdict(make_breach(), coverage=PARTIAL))
    assert states(written)[1:] == [("Create", "New", "Medium", ["coverage"])]
    assert [each["status_detail"] for each in written] == ["from 12:03 on only"] * 2


@pytest.mark.parametrize("verdict", [make_verdict(), make_verdict(make_breach())], ids=["quiet", "breach"])
def test_a_run_that_succeeds_after_others_had_failed_closes(verdict: Verdict) -> None:
    run = replace(make_run(message_format="ocsf"), missing=MISSING)
    written = json.loads(compose_alert(build_alert(verdict, run)).body)
    assert states(written)[-1] == ("Close", "Recovered", "Informational", ["coverage"])


def test_a_failure_is_a_finding_of_the_time_that_is_missing() -> None:
    finding = failed(make_run(), missing=MISSING)
    assert states([finding]) == [("Create", "New", "High", ["coverage"])]
    assert (finding["start_time"], finding["end_time"]) == (NOON_MS - 60 * 60_000, NOON_MS)
    assert finding["remediation"]["desc"].startswith("Once fixed")


def test_a_failure_with_invalid_settings_has_no_interval_and_keeps_its_id() -> None:
    first, second = failed(None), failed(None, reason="another")
    assert "start_time" not in first
    assert first["finding_info"]["uid"] == second["finding_info"]["uid"]


def test_a_failure_escapes_what_does_not_print_in_its_message() -> None:
    assert "Reason: no\\nrights" in failed(make_run(), reason="no\nrights")["message"]


def test_a_cluster_that_the_monitor_names_is_the_target() -> None:
    [finding] = findings(source="audit_log_s3", athena_conn_id="athena", cluster="prod")
    assert finding["resources"] == [{"name": "prod", "type": "Amazon Redshift", "role_id": 1}]


@pytest.mark.parametrize(
    ("source", "provider"), [("stl_connection_log", "Amazon Redshift"), ("cloudtrail", "AWS CloudTrail")]
)
def test_the_log_has_its_provider(source: str, provider: str) -> None:
    verdict = make_verdict(make_breach(), coverage=replace(PARTIAL, source=source))
    metadata = findings(verdict=verdict)[0]["metadata"]
    assert (metadata["log_name"], metadata["log_provider"]) == (source, provider)


def test_the_product_has_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert findings()[0]["metadata"]["product"]["version"] == __version__ == project["version"]
