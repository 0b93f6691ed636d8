"""The trigger form's fields: their order and sections, and what they are filled with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from redshift_auth_alert.settings.form import EXAMPLES, by_section, field_of, values
from redshift_auth_alert.settings.model import RunSettings, Settings, per_run_names
from tests.conftest import ROOT, TOPIC

REQUIRED = {"environment": "test", "sns_topic_arn": TOPIC}
MONITOR = Settings.model_validate(REQUIRED)


def fields(settings: Settings) -> dict[str, dict[str, Any]]:
    return {name: field_of(name, value) for name, value in values(settings).items()}


FIELDS = fields(MONITOR)


def sections() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, field in FIELDS.items():
        found.setdefault(field.get("section", ""), []).append(name)
    return found


def test_there_is_a_field_for_each_setting_of_a_run() -> None:
    assert sorted(FIELDS) == sorted(per_run_names())


def test_what_is_changed_most_often_comes_first_and_without_a_section() -> None:
    assert list(FIELDS)[:5] == sections()[""] == ["start", "end", "check_only", "threshold", "dry_run"]


def test_the_other_fields_stand_in_sections() -> None:
    assert {name: names for name, names in sections().items() if name} == {
        "Detection": ["window_minutes", "group_by", "count", "ignore", "thresholds"],
        "Source": ["source", "conn_id", "athena_conn_id", "cluster", "namespace", "max_scanned_gb"],
        "Message": ["environment", "sns_topic_arn", "max_groups"],
    }


def test_each_setting_is_in_one_section() -> None:
    assert sorted(name for names in by_section().values() for name in names) == sorted(RunSettings.model_fields)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_valid_as_it_stands(name: str) -> None:
    schema = FIELDS[name]
    Draft7Validator.check_schema(schema)
    Draft7Validator(schema).validate(schema["default"])


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_says_what_it_means(name: str) -> None:
    assert ("description" in FIELDS[name]) != ("description_md" in FIELDS[name])


def test_a_field_is_filled_with_the_monitors_value() -> None:
    entry = {"remote_host": "192.0.2.1", "reason": "BI gateway", "until": "2026-12-31"}
    own = Settings.model_validate(REQUIRED | {"threshold": 7, "group_by": ["remote_host"], "ignore": [entry]})
    filled = {name: field["default"] for name, field in fields(own).items()}
    assert (filled["threshold"], filled["group_by"], filled["ignore"]) == (7, ["remote_host"], [entry])


def test_a_form_sent_back_as_it_stands_changes_nothing() -> None:
    entries = {"ignore": EXAMPLES["ignore"], "thresholds": EXAMPLES["thresholds"]}
    own = Settings.model_validate(REQUIRED | {"threshold": 7} | entries)
    sent = {name: field["default"] for name, field in fields(own).items()}
    assert own.for_run(sent) == own.for_run(None)


def test_the_topic_stays_empty_so_that_a_template_is_not_sent_back() -> None:
    own = Settings.model_validate(REQUIRED | {"sns_topic_arn": "{{ var.value.topic }}"})
    assert fields(own)["sns_topic_arn"]["default"] is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_list_of_entries_shows_a_valid_example_and_its_keys(name: str) -> None:
    assert getattr(MONITOR.for_run({name: EXAMPLES[name]}), name)
    assert ". Keys: `remote_host`, `user_name`, `database_name`, `" in FIELDS[name]["description_md"]
    assert 'Example: `[{"remote_host": "' in FIELDS[name]["description_md"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_list_of_entries_is_written_as_json(name: str) -> None:
    assert FIELDS[name]["items"] == {"type": "object"}
    assert "examples" not in FIELDS[name]  # would make the form offer these entries as choices


def test_the_columns_of_a_group_are_offered_as_choices() -> None:
    assert FIELDS["group_by"]["examples"] == ["remote_host", "user_name", "database_name", "warehouse"]


@pytest.mark.parametrize(
    ("name", "value"), [("threshold", 0), ("threshold", "5"), ("source", "x"), ("sns_topic_arn", f"{TOPIC}.fifo")]
)
def test_an_invalid_value_is_refused_before_it_is_sent(name: str, value: Any) -> None:
    assert not Draft7Validator(FIELDS[name]).is_valid(value)


def test_it_is_made_without_airflow(tmp_path: Path) -> None:
    (tmp_path / "airflow.py").write_text("raise ImportError('airflow')")
    ran = subprocess.run(
        [sys.executable, "-c", "import redshift_auth_alert.settings.form"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT / 'plugins'}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
