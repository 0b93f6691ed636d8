"""``warehouses`` in a monitor file: one DAG for each entry, and why an entry is refused while the others load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.settings import rules, values
from redshift_auth_alert.settings.layers import Layer, combine_with
from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.settings.monitors import Monitor, load_monitors, main
from tests.conftest import TOPIC
from tests.settings.conftest import VALID

DAG = "redshift_auth_failure_alert"
TWO = "warehouses:\n  - {name: sales, conn_id: redshift_sales}\n  - {name: ops}\n"


def load(folder: Path, **files: str) -> tuple[list[Monitor], list[str]]:
    for stem, content in files.items():
        (folder / f"{stem}.yaml").write_text(content)
    return load_monitors(folder)


def ignore(*last: int) -> str:
    return f"ignore: [{', '.join(f'{{remote_host: 192.0.2.{each}, reason: x}}' for each in last)}]"


def hosts(monitor: Monitor) -> list[str | None]:
    return [entry.remote_host for entry in monitor.settings.ignore]


GATEWAY = "&gateway {remote_host: 192.0.2.1, reason: BI}"
NEXT = "&next {<<: *gateway, remote_host: 192.0.2.2}"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            f"warehouses:\n - {{name: a, ignore: [{GATEWAY}, {NEXT}]}}\n - {{name: b, ignore: [*next]}}",
            id="two entries",
        ),
        pytest.param(
            f"warehouses:\n - {{name: b, ignore: [{GATEWAY}, {NEXT}, *next]}}\n - {{name: a}}", id="one of them"
        ),
        pytest.param(
            f"ignore: [{GATEWAY}, {NEXT}]\nwarehouses:\n - {{name: a}}\n - {{name: b, ignore: [*next]}}",
            id="beside the list",
        ),
    ],
)
def test_a_mapping_that_merges_another_can_be_repeated_by_an_alias(tmp_path: Path, lines: str) -> None:
    monitors, problems = load(tmp_path, fleet=f"{VALID}{lines}\n")
    assert problems == []
    assert "192.0.2.2" in hosts(next(each for each in monitors if each.settings.warehouse == "b"))


def test_a_key_that_appears_twice_under_an_alias_is_refused_wherever_that_stands(tmp_path: Path) -> None:
    twice = "{remote_host: 192.0.2.1, reason: x, reason: y}"
    lines = f"warehouses:\n - {{name: a, ignore: [&twice {twice}]}}\n - {{name: b, ignore: [*twice]}}\n - {{name: c}}\n"
    monitors, problems = load(tmp_path, fleet=f"{VALID}{lines}")
    assert [monitor.settings.warehouse for monitor in monitors] == ["c"]
    assert [each.partition(": ")[2] for each in problems] == ["not valid YAML: reason appears twice; keep one"] * 2


@pytest.mark.parametrize("stem", ["fleet", "default"])
def test_each_warehouse_has_a_dag_of_its_own(tmp_path: Path, stem: str) -> None:
    monitors, problems = load(tmp_path, **{stem: VALID + TWO})
    assert [monitor.dag_id for monitor in monitors] == [f"{DAG}__{stem}__sales", f"{DAG}__{stem}__ops"]
    assert problems == []


def test_the_name_is_the_warehouses_in_messages(tmp_path: Path) -> None:
    monitors, _ = load(tmp_path, fleet=VALID + TWO)
    assert [monitor.settings.warehouse for monitor in monitors] == ["sales", "ops"]


def test_a_warehouse_has_its_own_value_else_the_files_else_the_shared_one(tmp_path: Path) -> None:
    own = "threshold: 2\nwindow_minutes: 2\nwarehouses:\n  - {name: a, threshold: 3}\n"
    (monitor,), _ = load(tmp_path, _shared=f"{VALID}threshold: 1\nwindow_minutes: 1\nmax_groups: 1\n", fleet=own)
    settings = monitor.settings
    assert (settings.threshold, settings.window_minutes, settings.max_groups) == (3, 2, 1)


@pytest.mark.parametrize(
    ("shared", "own", "entry", "in_force"),
    [
        ("", ignore(2), ignore(3), [2, 3]),
        (ignore(1), "", ignore(3), [1, 3]),
        (ignore(1), ignore(2), ignore(3), [2, 3]),
        (ignore(1), ignore(2), "", [2]),
        ("", ignore(2), "ignore: []", [2]),
        ("", "", ignore(3), [3]),
    ],
    ids=["file", "shared", "both", "none of its own", "empty", "its own only"],
)
def test_a_warehouses_ignore_list_is_added(
    tmp_path: Path, shared: str, own: str, entry: str, in_force: list[int]
) -> None:
    comma = ", " if entry else ""
    fleet = f"{own}\nwarehouses:\n  - {{name: a{comma}{entry}}}\n"
    (monitor,), _ = load(tmp_path, _shared=f"{VALID}{shared}\n", fleet=fleet)
    assert hosts(monitor) == [f"192.0.2.{last}" for last in in_force]


@pytest.mark.parametrize(("own", "loads"), [(40, True), (41, False)])
def test_both_ignore_lists_together_have_up_to_100_entries(tmp_path: Path, own: int, *, loads: bool) -> None:
    fleet = f"{VALID}{ignore(*range(60))}\nwarehouses:\n  - {{name: a, {ignore(*range(60, 60 + own))}}}\n"
    monitors, problems = load(tmp_path, fleet=fleet)
    assert bool(monitors) is loads
    assert problems == [
        f"{tmp_path / 'fleet.yaml'}, line 5: ignore has 41 entries, and 101 with those that it is added to; valid: up "
        "to 100 together"
    ] * (not loads)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str], str]:
    """Put an entry on line 5, between two others, and return why it is refused while these load."""

    def refuse(entry: str) -> str:
        content = f"{VALID}warehouses:\n- {{name: before}}\n- {entry}\n- {{name: after}}\n"
        monitors, (problem,) = load(tmp_path, fleet=content)
        assert [monitor.dag_id for monitor in monitors] == [f"{DAG}__fleet__before", f"{DAG}__fleet__after"]
        assert problem.startswith(f"{tmp_path / 'fleet.yaml'}, line 5: ")
        return problem.removeprefix(f"{tmp_path / 'fleet.yaml'}, line 5: ")

    return refuse


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: a, threshold: 0}", "threshold is 0: Input should be greater than or equal to 1; valid: an integer "),
        ("{name: a, treshold: 5}", "unknown setting 'treshold'; did you mean 'threshold'? valid here: name, threshold"),
        ("{nam: a}", "unknown setting 'nam'; did you mean 'name'? valid here: name, threshold"),
        ("{name: a, 5: 1}", "unknown setting 5; valid here: name, "),
        ("{name: a, warehouses: []}", "warehouses can be set in a monitor file only"),
        ("{name: a, warehouse: b}", "warehouse is 'b': the entry's name is the warehouse's; remove warehouse"),
        ("{name: a, check_only: true}", "check_only can be set for a manual run only"),
        ("{conn_id: a}", "name is missing; valid: 1 to 64 letters, digits, '_', '.' and '-', without '__'"),
        ("{name: }", "name is None: not text, so put it in quotes; valid: 1 to 64 letters, "),
        ("{name: 2024}", "name is 2024: not text, so put it in quotes; valid: 1 to 64 letters, "),
        ("{name: ''}", "name is '': not allowed; valid: 1 to 64 letters, "),
        ("{name: a__b}", "name is 'a__b': not allowed; valid: 1 to 64 letters, digits, '_', '.' and '-', without '__'"),
        ("{name: a b}", "name is 'a b': not allowed; valid: "),
        (r'{name: "a\n"}', r"name is 'a\n': not allowed; valid: "),
        ("{name: d\u00fch}", "name is 'd\u00fch': not allowed; valid: "),
        (f"{{name: {'w' * 65}}}", f"name is '{'w' * 65}': not allowed; valid: 1 to 64 letters, "),
        ("sales", "a warehouse is 'sales'; valid: an entry such as - {name: sales, conn_id: redshift_sales}"),
        ("[name, sales]", "a warehouse is ['name', 'sales']; valid: an entry such as "),
        ("{name: a, name: b}", "not valid YAML: name appears twice; keep one"),
        ("{name: a, start_date: 2026-13-01}", "not valid YAML: month must be in 1..12"),
        ("{name: a, source: cloudtrail}", "athena_conn_id is missing: source cloudtrail is queried through Athena; "),
        ("{name: a, user_parameter: /user}", "password_parameter is missing: user_parameter is set; "),
        (
            "{name: a, source: audit_log_s3, athena_conn_id: a}",
            "settle_minutes is 5: too soon for source audit_log_s3, as ",
        ),
        ("{name: a, ignore: 5}", "ignore is 5: not a list; valid: a list of up to 100 entries, see 'Ignore list'"),
        ("{name: a, ignore: [{remote_host: 192.0.2.1}]}", "ignore entry 1: reason is missing; "),
        (
            "{name: before}",
            f"FILE, line 4 defines the DAG {DAG}__fleet__before already; rename or remove one of the two",
        ),
    ],
)
def test_an_invalid_entry_is_refused_with_its_line_while_the_others_load(
    tmp_path: Path, refused: Callable[[str], str], entry: str, says: str
) -> None:
    assert refused(entry).startswith(says.replace("FILE", str(tmp_path / "fleet.yaml")))


@pytest.mark.parametrize("name", ["a", "w" * 64, "Sales-DWH_1.eu", "_a", "1", "a_b_"])
def test_a_name_is_valid(tmp_path: Path, name: str) -> None:
    (monitor,), _ = load(tmp_path, fleet=f"{VALID}warehouses:\n- {{name: '{name}'}}\n")
    assert monitor.dag_id == f"{DAG}__fleet__{name}"


def test_names_that_differ_in_case_are_two(tmp_path: Path) -> None:
    assert len(load(tmp_path, fleet=f"{VALID}warehouses:\n- {{name: a}}\n- {{name: A}}\n")[0]) == 2


def test_two_of_one_name_on_one_line_are_noticed_too(tmp_path: Path) -> None:
    monitors, (problem,) = load(tmp_path, fleet=f"{VALID}warehouses: [{{name: a}}, {{name: a}}]\n")
    assert len(monitors) == 1
    assert f"line 3 defines the DAG {DAG}__fleet__a already" in problem


def test_an_ignore_entry_that_matches_nothing_has_its_number_in_the_warehouses_own_list(tmp_path: Path) -> None:
    entry = "{name: a, ignore: [{remote_host: 192.0.2.3, reason: x}, {user_name: etl, reason: x}]}"
    _, (problem,) = load(tmp_path, fleet=f"{VALID}{ignore(1, 2)}\nwarehouses:\n- {entry}\n")
    assert problem.startswith(f"{tmp_path / 'fleet.yaml'}, line 5: ignore is [")
    assert "ignore entry 2 matches nothing, as group_by lacks user_name" in problem


@pytest.mark.parametrize("value", ["[]", "", "{name: sales}", "sales", "null"])
def test_without_entries_the_list_is_refused_with_what_is_valid(tmp_path: Path, value: str) -> None:
    monitors, (problem,) = load(tmp_path, fleet=f"{VALID}warehouses: {value}\n", other=VALID)
    assert [monitor.dag_id for monitor in monitors] == [f"{DAG}__other"]
    assert problem.startswith(f"{tmp_path / 'fleet.yaml'}, line 3: warehouses is ")
    assert problem.endswith("; valid: a list of one or more entries such as - {name: sales, conn_id: redshift_sales}")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("threshold: 0", "threshold is 0: "),
        ("treshold: 5", "unknown setting 'treshold'; did you mean 'threshold'? valid here: "),
        ("warehouse: a", "warehouse is 'a': each entry of warehouses has its name; remove it"),
        ("start: 2026-01-01", "start can be set for a manual run only; "),
    ],
)
def test_what_is_wrong_above_the_list_is_reported_once_for_all_its_warehouses(
    tmp_path: Path, line: str, says: str
) -> None:
    monitors, (problem,) = load(tmp_path, fleet=f"{VALID}{line}\n{TWO}")
    assert monitors == []
    assert problem.startswith(f"{tmp_path / 'fleet.yaml'}: {says}")
    assert problem.endswith("; this stops all its warehouses")


def test_a_setting_that_stands_nowhere_is_missing_once_and_stops_the_warehouses_without_it(tmp_path: Path) -> None:
    entries = f"warehouses:\n- {{name: a}}\n- {{name: b}}\n- {{name: c, sns_topic_arn: '{TOPIC}'}}\n"
    (monitor,), (problem,) = load(tmp_path, fleet=f"environment: test\n{entries}")
    assert monitor.settings.warehouse == "c"
    assert problem.startswith(f"{tmp_path / 'fleet.yaml'}: sns_topic_arn is missing; ")
    assert problem.endswith("; this stops a, b")


def test_a_default_that_does_not_go_with_the_files_source_is_one_problem_of_the_file(tmp_path: Path) -> None:
    monitors, (problem,) = load(tmp_path, fleet=f"{VALID}source: audit_log_s3\nathena_conn_id: a\n{TWO}")
    assert monitors == []
    assert problem.startswith(f"{tmp_path / 'fleet.yaml'}: settle_minutes is 5: too soon for source audit_log_s3, ")
    assert problem.endswith("; this stops sales, ops")


def test_a_shared_value_that_a_warehouse_does_not_bear_names_both_places(tmp_path: Path) -> None:
    fleet = "athena_conn_id: a\nwarehouses:\n- {name: a, source: audit_log_s3}\n- {name: b}\n"
    (monitor,), (problem,) = load(tmp_path, _shared=f"{VALID}settle_minutes: 7\n", fleet=fleet)
    assert monitor.settings.warehouse == "b"
    assert problem.startswith(f"{tmp_path / '_shared.yaml'}: settle_minutes is 7: too soon for source audit_log_s3, ")
    assert problem.endswith("; this stops a (fleet.yaml, line 3)")


def test_a_file_of_that_name_goes_before_a_warehouse_of_another_file(tmp_path: Path) -> None:
    monitors, (problem,) = load(tmp_path, a=f"{VALID}warehouses:\n- {{name: b}}\n", a__b=VALID)
    assert [(monitor.dag_id, monitor.file.name) for monitor in monitors] == [(f"{DAG}__a__b", "a__b.yaml")]
    assert problem == (
        f"{tmp_path / 'a.yaml'}, line 4: {tmp_path / 'a__b.yaml'} defines the DAG {DAG}__a__b already; "
        "rename or remove one of the two"
    )


def test_of_two_lists_that_give_one_id_the_later_one_is_refused(tmp_path: Path) -> None:
    first, second = (f"{VALID}warehouses:\n- {{name: {name}}}\n" for name in ("_b", "b"))
    monitors, (problem,) = load(tmp_path, a=first, a_=second)
    assert [monitor.file.name for monitor in monitors] == ["a.yaml"]
    assert problem.startswith(f"{tmp_path / 'a_.yaml'}, line 4: {tmp_path / 'a.yaml'}, line 4 defines the DAG ")


@pytest.mark.parametrize(("length", "loads"), [(250, True), (251, False)])
def test_the_id_of_a_warehouses_dag_has_up_to_250_characters(tmp_path: Path, length: int, *, loads: bool) -> None:
    stem = "f" * (length - len(f"{DAG}____w"))
    monitors, problems = load(tmp_path, **{stem: f"{VALID}warehouses:\n- {{name: w}}\n"})
    assert [len(monitor.dag_id) for monitor in monitors] == [250] * loads
    assert len(problems) == (not loads)
    assert all(f"{stem}.yaml, line 4: the id of its DAG, " in problem for problem in problems)


@pytest.mark.parametrize(("length", "loads"), [(250, True), (251, False)])
def test_the_id_of_a_files_dag_has_up_to_250_characters(tmp_path: Path, length: int, *, loads: bool) -> None:
    monitors, problems = load(tmp_path, **{"f" * (length - len(f"{DAG}__")): VALID})
    assert bool(monitors) is loads
    assert [problem.split("characters; ")[1] for problem in problems] == ["valid: at most 250: shorten the name"] * (
        not loads
    )


def test_a_task_loads_its_own_warehouse_and_examines_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, fleet=f"{VALID}{TWO}  - {{name: bad, threshold: 0}}\n  - {{nam: worse}}\n", other="a: [")
    built = []
    monkeypatch.setattr(
        "redshift_auth_alert.settings.monitors.combine_with",
        lambda layers, entry: built.append(entry.values["warehouse"]) or combine_with(layers, entry),
    )
    (monitor,), problems = load_monitors(tmp_path, only=f"{DAG}__fleet__ops")
    assert (monitor.settings.warehouse, problems) == ("ops", [])
    assert built == ["ops"]


@pytest.mark.parametrize(
    ("line", "module", "slow"),
    [
        ("display_timezone: Europe/Berlin", values, "available_timezones"),
        ("schedule: 7 2 * * *", values, "croniter"),
        ("schedule: 7 2 * * *\nremind_every_minutes: 2880", rules, "croniter"),
    ],
)
def test_what_is_slow_to_check_is_checked_as_often_for_fifty_warehouses_as_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, module: ModuleType, slow: str
) -> None:
    counted = Mock(wraps=getattr(module, slow))
    monkeypatch.setattr(module, slow, counted)
    load(tmp_path, fleet=f"{VALID}{line}\nwarehouses: [{{name: first}}]\n")
    once = len(counted.mock_calls)
    fifty = ", ".join(f"{{name: w{number}}}" for number in range(50))
    monitors, _ = load(tmp_path, fleet=f"{VALID}{line}\nwarehouses: [{fifty}]\n")
    assert (len(monitors), len(counted.mock_calls)) == (50, once)


def test_a_task_takes_the_same_of_two_that_give_one_id(tmp_path: Path) -> None:
    load(tmp_path, a=f"{VALID}warehouses:\n- {{name: b}}\n", a__b=VALID)
    (monitor,), _ = load_monitors(tmp_path, only=f"{DAG}__a__b")
    assert monitor.file.name == "a__b.yaml"


def test_a_task_of_a_warehouse_that_is_gone_loads_nothing(tmp_path: Path) -> None:
    load(tmp_path, fleet=VALID + TWO)
    assert load_monitors(tmp_path, only=f"{DAG}__fleet__gone") == ([], [])


@pytest.mark.parametrize(
    ("setting", "place"),
    [("conn_id", "fleet.yaml, line 4"), ("threshold", "fleet.yaml"), ("environment", "_shared.yaml")],
)
def test_a_monitor_knows_where_each_setting_stands(tmp_path: Path, setting: str, place: str) -> None:
    fleet = "threshold: 3\n\nwarehouses:\n- {name: a, conn_id: redshift_a}\n"
    (monitor,), _ = load(tmp_path, _shared=VALID, fleet=fleet)
    assert monitor.place_of(setting) == str(tmp_path / place)


def test_the_command_prints_each_warehouse_with_what_differs_from_the_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fleet.yaml").write_text(f"{VALID}{TWO}  - {{name: bad, threshold: 0}}\n")
    assert main(tmp_path) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == (
        f"{DAG}__fleet__sales ({tmp_path / 'fleet.yaml'}): conn_id: redshift_sales, environment: test, "
        f"warehouse: sales, sns_topic_arn: '{TOPIC}'"
    )
    assert printed.err.startswith(f"{tmp_path / 'fleet.yaml'}, line 6: threshold is 0: ")


IGNORED = st.lists(
    st.builds(lambda last: {"remote_host": f"192.0.2.{last}", "reason": "x"}, st.integers(0, 255)), max_size=3
)
SOME = st.fixed_dictionaries(
    {},
    optional={
        "threshold": st.integers(1, 9),
        "window_minutes": st.integers(1, 9),
        "conn_id": st.sampled_from(["a", "b"]),
        "dry_run": st.booleans(),
        "environment": st.sampled_from(["test", "production"]),
        "display_timezone": st.sampled_from([None, "Europe/Berlin"]),
        "ignore": IGNORED,
    },
)


def plainly_merged(shared: dict[str, Any], own: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """What is in force by the rules as they are written, setting by setting."""
    in_force = {"environment": "default", "sns_topic_arn": TOPIC}
    for name in SOME_NAMES:
        for layer in (entry, own, shared):
            if name in layer:
                in_force[name] = layer[name]
                break
    base = own["ignore"] if "ignore" in own else shared.get("ignore", [])
    return in_force | {"ignore": base + entry.get("ignore", [])}


SOME_NAMES = ("threshold", "window_minutes", "conn_id", "dry_run", "environment", "display_timezone")


@given(SOME, SOME, SOME)
def test_what_is_in_force_equals_a_plain_merge(
    shared: dict[str, Any], own: dict[str, Any], entry: dict[str, Any]
) -> None:
    first = {"environment": "default", "sns_topic_arn": TOPIC} | shared
    above = [Layer("_shared.yaml", first), Layer("a.yaml", own)]
    settings, problems = combine_with(above, Layer("a.yaml, line 1", entry))
    assert problems == []
    assert settings == Settings.model_validate(plainly_merged(shared, own, entry))
