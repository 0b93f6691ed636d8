"""Whatever a monitor file or a run's overrides hold: it is accepted, or refused with a message that names the key."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.form import EXAMPLES
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from redshift_auth_alert.settings.wording import schemas, written
from tests.conftest import TOPIC
from tests.settings.conftest import VALID

REQUIRED = {"environment": "test", "sns_topic_arn": TOPIC}
MONITOR = Settings.model_validate(REQUIRED)

STRINGS = [
    "*/5 * * * *", "0 0 29 2 *", "0 0 31 2 *", "0 0 * * 7#5", "R * * * *", "@daily", "0 0 L * *", "1-0 * * * *",
    "Europe/Berlin", "europe/berlin", "/redshift/user", "//", "AWS/SNS", "", "null", "\ud800", "\x00", "9" * 400,
    "{{ var.value.topic }}", "{{ }}", TOPIC, f"{TOPIC}.fifo",
]  # fmt: skip
HOSTS = ["192.0.2.7", "192.0.2.7/24", "fe80::1%eth0", "::ffff:192.0.2.0/120", "2001:db8::/32", "[", "[z-a]", "etl_*"]
TIMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T10:00:00Z", "2026-01-31", "2026-13-31"]
# A setting that is refused because of what another one holds.
BECAUSE_OF = {
    "password_parameter": "user_parameter",
    "athena_conn_id": "source",
    "settle_minutes": "source",
    "remind_every_minutes": "schedule",
}
strings = st.sampled_from(STRINGS) | st.text(max_size=20)
times = st.sampled_from(TIMES) | st.dates() | st.datetimes(timezones=st.just(UTC) | st.none())
numbers = st.sampled_from([-1, 0, 1, 29, 30, 10**30]) | st.integers() | st.floats()
scalars = strings | times | numbers | st.none() | st.booleans() | st.sampled_from(HOSTS) | st.binary(max_size=3)
keys = st.sampled_from([*EXAMPLES["ignore"][0], "user_name", "even_if_authenticated", "threshold", "untill"])
entry = st.dictionaries(keys | st.text(max_size=8) | st.integers(), scalars, max_size=4)
entries = st.lists(entry | st.sampled_from([*EXAMPLES["ignore"], *EXAMPLES["thresholds"]]) | scalars, max_size=3)
anything = scalars | entries | st.sets(st.integers() | st.text(), max_size=2) | entry


def near(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a setting with this schema takes, or nearly takes."""
    if schema.get("format") == "date-time":
        return times
    if "keys" in schema:
        return entries
    if "items" in schema:
        return st.lists(st.sampled_from(schema["items"].get("enum", HOSTS)) | strings, max_size=3)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "minimum" in schema:
        return st.integers(schema["minimum"] - 1, schema["maximum"] + 1)
    return strings


VALUES = {name: near(schema) | anything for name, schema in schemas(RunSettings).items()}
KNOWN = st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)
UNKNOWN = st.dictionaries(st.just("treshold") | st.text(max_size=12) | st.integers() | st.none(), anything, max_size=1)
CONTENTS = KNOWN | st.tuples(KNOWN, UNKNOWN).map(lambda both: both[0] | both[1])


def load(text: bytes) -> tuple[list[Monitor], list[str]]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "default.yaml").write_bytes(text)
        monitors, problems = load_monitors(Path(folder))
        return monitors, [problem.removeprefix(f"{folder}/default.yaml: ") for problem in problems]


def is_named(content: dict[Any, Any], problem: str) -> bool:
    """Whether the problem's subject is a key of ``content``, or a setting that one of its keys makes invalid."""
    subject = problem.split(maxsplit=1)[0]
    if subject == "unknown":
        return any(problem.startswith(f"unknown setting {written(key)};") for key in content)
    return subject in content or BECAUSE_OF.get(subject) in content


def is_half_a_character(text: str, problem: str) -> bool:
    """Whether the file holds half of a character, which YAML's loader in C refuses."""
    return "\\uD8" in text.upper().replace("\\UD", "\\uD") and problem.startswith("not valid YAML: ")


@given(CONTENTS)
def test_a_monitor_file_is_loaded_or_refused_by_a_key_of_it(content: dict[Any, Any]) -> None:
    text = yaml.safe_dump(REQUIRED | content)
    monitors, problems = load(text.encode())
    assert len(monitors) + len(problems) == 1
    assert monitors or is_named(content, problems[0]) or is_half_a_character(text, problems[0])


@given(CONTENTS)
def test_overrides_are_accepted_or_refused_by_a_key_of_them(overrides: dict[Any, Any]) -> None:
    try:
        run, problem = MONITOR.for_run(overrides), ""
    except SettingsError as error:
        run, problem = None, str(error).removeprefix("run overrides: ")
    assert run or is_named(overrides, problem)


@given(st.integers(0, len(VALID)), st.integers(0, 20), st.text(max_size=30) | st.sampled_from("[]{}&*!|>%@`'\"#:-?\t,"))
def test_a_damaged_file_is_loaded_or_refused(start: int, length: int, inserted: str) -> None:
    text = VALID[:start] + inserted + VALID[start + length :]
    monitors, problems = load(text.encode("utf-8", "surrogatepass"))
    assert len(monitors) + len(problems) == 1
