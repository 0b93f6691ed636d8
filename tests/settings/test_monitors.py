"""Monitor files: which are loaded, under which DAG id, and the command that checks them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from redshift_auth_alert.settings.monitors import Monitor, load_monitors, main
from tests.conftest import ROOT, TOPIC
from tests.settings.conftest import VALID

DEFAULT = "redshift_auth_failure_alert"


def load(folder: Path) -> tuple[dict[str, Monitor], str]:
    monitors, problems = load_monitors(folder)
    return {monitor.dag_id: monitor for monitor in monitors}, "\n".join(problems)


def test_default_yaml_gives_the_plain_dag_id(folder: Path) -> None:
    assert list(load(folder)[0]) == [DEFAULT]


@pytest.mark.parametrize("name", ["spraying.yaml", "spraying.yml"])
def test_another_file_gives_its_name_to_the_dag_id(folder: Path, name: str) -> None:
    (folder / name).write_text(VALID)
    assert f"{DEFAULT}__spraying" in load(folder)[0]


def test_the_shipped_monitor_is_valid() -> None:
    monitors, problems = load_monitors(ROOT / "include" / "monitors")
    assert (len(monitors), problems) == (1, [])


def test_the_examples_are_valid() -> None:
    monitors, problems = load_monitors(ROOT / "include" / "monitors" / "examples")
    assert (len(monitors), problems) == (6, [])


def test_the_examples_that_group_by_user_reach_their_threshold_before_redshift_locks_the_user() -> None:
    monitors, _ = load_monitors(ROOT / "include" / "monitors" / "examples")
    by_user = {m.dag_id: m.settings.threshold for m in monitors if "user_name" in m.settings.group_by}
    assert by_user == {f"{DEFAULT}__distributed_guessing": 4, f"{DEFAULT}__host_and_user": 4}


def test_a_template_is_a_topic_in_a_monitor_file(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text('environment: test\nsns_topic_arn: "{{ var.value.topic }}"\n')
    assert load(tmp_path)[1] == ""


def test_each_missing_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("threshold: 5\n")
    problem = load(tmp_path)[1]
    assert "environment is missing" in problem
    assert "sns_topic_arn is missing" in problem


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [", "not valid YAML"),
        ("", "is empty; write settings as 'name: value' lines"),
        ("# threshold: 5", "is empty; write settings as 'name: value' lines"),
        ("- a", "holds ['a']; valid: settings as 'name: value' lines"),
        ("threshold: 5\nthreshold: 7", "not valid YAML: threshold appears twice; keep one"),
        ("start_date: 2026-13-01", "not valid YAML: month must be in 1..12"),
        ("[" * 2_000, "not valid YAML: it nests more than 50 levels"),
        ("[" * 300_000, "not valid YAML: it nests more than 50 levels"),  # the loader in C would end the process
        ("- " * 300_000, "not valid YAML: it nests more than 50 levels"),
        ("&a [*a]", "holds [[[[...]]]]; valid: "),
        ("? [threshold]\n: 5", "not valid YAML: "),
        (f"? 0x{'f' * 10_000}\n: 1", "unknown setting 0xffffffff"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(folder: Path, content: str, says: str) -> None:
    (folder / "bad.yaml").write_text(content)
    monitors, problem = load(folder)
    assert list(monitors) == [DEFAULT]
    assert problem.startswith(f"{folder / 'bad.yaml'}: {says}")


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "bad.yaml").write_bytes(b"\xff\xfe")
    assert "bad.yaml: not valid YAML: " in load(folder)[1]


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "bad.yaml").symlink_to(folder / "not_there")
    assert load(folder)[1] == f"{folder / 'bad.yaml'}: cannot be read: No such file or directory"


def test_of_one_dag_only_its_own_file_is_read(folder: Path) -> None:
    (folder / "spraying.yaml").write_text(VALID)
    (folder / "bad.yaml").write_text("a: [")
    monitors, problems = load_monitors(folder, only=f"{DEFAULT}__spraying")
    assert ([monitor.dag_id for monitor in monitors], problems) == ([f"{DEFAULT}__spraying"], [])


def test_two_files_that_define_one_dag_are_both_named(folder: Path) -> None:
    (folder / "default.yml").write_text(VALID)
    monitors, problem = load(folder)
    assert monitors == {}
    assert problem == (
        f"{folder / 'default.yaml'} and {folder / 'default.yml'}: both define the DAG {DEFAULT}; rename or remove one"
    )


def test_a_file_name_that_makes_no_dag_id_is_refused(folder: Path) -> None:
    (folder / "my monitor.yaml").write_text(VALID)
    assert "the DAG is named after the file; valid: letters, digits, '_', '-' and '.'" in load(folder)[1]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path)[1] == f"{tmp_path}: no monitor file; add one, for example default.yaml"


@pytest.mark.parametrize("place", ["team/spraying.yaml", "team/a/b.yml", "team/examples/b.yaml", "team/B.YAML"])
def test_a_file_in_a_subfolder_is_refused_by_name(folder: Path, place: str) -> None:
    (folder / place).parent.mkdir(parents=True)
    (folder / place).write_text(VALID)
    monitors, problem = load(folder)
    assert list(monitors) == [DEFAULT]
    assert problem == f"{folder / place}: monitor files in a subfolder are not loaded; move it up into {folder}"


@pytest.mark.parametrize("suffix", [".YAML", ".Yml"])
def test_a_suffix_in_upper_case_is_refused_by_name(folder: Path, suffix: str) -> None:
    (folder / f"spraying{suffix}").write_text(VALID)
    monitors, problem = load(folder)
    assert list(monitors) == [DEFAULT]
    assert problem == (f"{folder / 'spraying'}{suffix}: the suffix is {suffix}; valid: .yaml or .yml, in lower case")


@pytest.mark.parametrize(
    "place",
    [
        "README.md",
        "spraying.yaml.txt",
        "spraying.yaml~",
        ".hidden.yaml",
        ".checkpoints/a.yaml",
        "examples/a.yaml",
        "team/a.md",
    ],
)
def test_any_other_file_is_ignored(folder: Path, place: str) -> None:
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text("anything")
    monitors, problem = load(folder)
    assert (list(monitors), problem) == ([DEFAULT], "")


def test_the_command_prints_each_monitor_with_what_differs_from_the_defaults(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = "{remote_host: 192.0.2.1, reason: BI gateway, until: 2026-12-31}"
    (folder / "low.yaml").write_text(f"{VALID}threshold: 5\nwindow_minutes: 30\nignore: [{entry}]\n")
    assert main(folder) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{DEFAULT} ({folder / 'default.yaml'}): environment: test, sns_topic_arn: '{TOPIC}'",
        f"{DEFAULT}__low ({folder / 'low.yaml'}): threshold: 5, ignore: [{{remote_host: 192.0.2.1, reason: BI gateway, "
        f"until: '2026-12-31'}}], environment: test, sns_topic_arn: '{TOPIC}'",
    ]


def test_the_command_prints_the_problems_beside_the_valid_monitors_and_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.yaml").write_text(f"{VALID}threshold: 0\n")
    assert main(folder) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{DEFAULT} (")
    assert printed.err.startswith(f"{folder / 'bad.yaml'}: threshold is 0: ")


def test_the_command_needs_no_airflow(folder: Path) -> None:
    (folder / "airflow.py").write_text("raise ImportError('airflow')")
    ran = subprocess.run(
        [sys.executable, "-m", "redshift_auth_alert.settings.monitors", str(folder)],
        env={"PYTHONPATH": f"{folder}:{ROOT / 'plugins'}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"{DEFAULT} (")


def test_the_command_reads_the_projects_monitors_unless_told_otherwise() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "redshift_auth_alert.settings.monitors"],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT / "plugins")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.count("\n")) == (0, 1)
    assert "(include/monitors/default.yaml): environment: production" in ran.stdout
