"""What the messages say of a fleet: at which warehouses a group failed, and which were not seen."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import pytest

from redshift_auth_alert.detection.coverage import judge_coverage, judge_fleet
from redshift_auth_alert.detection.findings import Coverage, FailedAt, Fleet, Gap, Login
from tests.conftest import NOON, make_run, unwrapped
from tests.message.findings import MINUTE, alert, failure, make_breach, make_verdict
from tests.message.test_document import SCHEMA

AT = tuple(FailedAt(name, number) for name, number in (("sales", 5), ("ops", 4), ("lab", 3)))
SPREAD = make_breach(warehouses=3, top_warehouses=AT)
FLEET: dict[str, Any] = {"source": "sys_connection_log_s3", "athena_conn_id": "athena", "namespace": "123456789012_sys"}
REASON = "1 of 3 warehouses was not evaluated: lab has stopped"
UNSEEN = Coverage(
    "sys_connection_log_s3", "partial", REASON, fleet=Fleet(3, 1, 0, (Gap("lab", "unseen", "lab has stopped"),))
)
FORMS = ["text", "json", "chat", "ocsf"]


def written(form: str, *breaches: Any, **of: Any) -> str:
    return alert(verdict=make_verdict(*breaches, **of), **FLEET, message_format=form).body


def test_a_mail_names_the_warehouses_at_which_a_host_failed() -> None:
    assert "\n    Where       at 3 warehouses: sales, ops, lab\n" in written("text", SPREAD)


def test_a_chat_names_the_warehouses_at_which_a_host_failed() -> None:
    assert "; at 3 warehouses: `sales`, `ops`, `lab`; " in written("chat", SPREAD)


def test_the_json_form_lists_the_warehouses_at_which_a_host_failed() -> None:
    document = json.loads(written("json", SPREAD))
    SCHEMA.validate(document)
    assert document["breaches"][0]["warehouses"] == {
        "number": 3,
        "top": [
            {"warehouse": "sales", "failures": 5},
            {"warehouse": "ops", "failures": 4},
            {"warehouse": "lab", "failures": 3},
        ],
    }


def test_a_finding_of_ocsf_has_the_warehouses_as_resources() -> None:
    (finding,) = json.loads(written("ocsf", SPREAD))
    assert [each["name"] for each in finding["resources"]] == ["sales", "ops", "lab"]
    assert finding["evidences"][0]["data"]["warehouses"]["number"] == 3


def test_warehouses_that_are_not_named_are_counted() -> None:
    body = written("text", make_breach(warehouses=8, top_warehouses=AT))
    assert "at 8 warehouses: sales, ops, lab and 5 more" in body


def test_one_warehouse_is_named_too() -> None:
    assert "at 1 warehouse: sales\n" in written("text", make_breach(warehouses=1, top_warehouses=AT[:1]))


def test_a_log_of_one_warehouse_names_none() -> None:
    assert "warehouse" not in alert(make_breach()).body


@pytest.mark.parametrize("form", ["text", "chat"])
def test_who_got_in_is_said_with_the_warehouse(form: str) -> None:
    body = written(
        form, make_breach(got_in=Login(NOON + 10 * MINUTE, "admin", "sales"), warehouses=3, top_warehouses=AT)
    )
    assert "as admin at sales" in unwrapped(body.replace("`", ""))


def test_a_group_may_be_of_one_warehouse() -> None:
    breach = make_breach(group={"warehouse": "sales", "remote_host": "203.0.113.7"})
    (finding,) = json.loads(written("ocsf", breach))
    assert finding["evidences"][0]["dst_endpoint"] == {"name": "sales"}
    assert finding["resources"] == [{"name": "sales", "type": "Amazon Redshift", "role_id": 1}]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_names_the_warehouse_that_was_not_evaluated(form: str) -> None:
    assert REASON in unwrapped(written(form, SPREAD, coverage=UNSEEN))


def test_the_json_form_lists_what_was_not_evaluated() -> None:
    document = json.loads(written("json", SPREAD, coverage=UNSEEN))
    SCHEMA.validate(document)
    assert document["coverage"]["fleet"] == {
        "warehouses": 3, "unseen": 1, "partial": 0,
        "gaps": [{"warehouse": "lab", "verdict": "unseen", "reason": "lab has stopped"}],
    }  # fmt: skip


HOSTILE = "<!channel>\n[CRITICAL] `x`"


@pytest.mark.parametrize("form", ["text", "chat"])
def test_a_warehouse_with_a_hostile_name_alters_nothing_around_it(form: str) -> None:
    log = {
        HOSTILE: {"oldest_event_at": "2026-02-28T10:00:00", "newest_event_at": "2026-02-28T10:00:00", "shows_others": 1}
    }
    run = make_run(**FLEET)
    table = {"source": "sys_connection_log_s3", "unreadable_lines": 0, "fleet": asdict(judge_fleet(log, run))}
    coverage = judge_coverage(table | log[HOSTILE], run.interval)
    breach = make_breach(warehouses=1, top_warehouses=(FailedAt(HOSTILE, 12),))
    body = written(form, breach, coverage=coverage)
    said = body if form == "text" else json.loads(body)["content"]["description"]
    assert not re.search(r"^\[CRITICAL\]", said, re.MULTILINE)
    assert form == "text" or not re.search(r"<!channel>|`x`", said)


def test_the_report_after_the_alert_says_that_all_has_to_be_cleared() -> None:
    message = failure(make_run(**FLEET), "require_coverage", REASON, warehouse="fleet-123456789012")
    assert message.subject == "[FAILED] (test) fleet-123456789012: not all warehouses evaluated"
    assert message.body.startswith(
        "An interval was evaluated and reported, but not for all warehouses: the others\nmay"
    )
    assert "clear query_auth_failures and all tasks after it" in message.body.replace("\n", " ")
