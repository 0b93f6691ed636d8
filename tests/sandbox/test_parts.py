"""The parts of the sandbox's commands: which monitors run, what stays of a failure, how progress shows."""

from __future__ import annotations

import io
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
import yaml
from rich.console import Console

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.monitors import Monitor, load_monitors
from sandbox import show
from sandbox.athena import files_in
from sandbox.aws import REGION, Mail, running_cloud
from sandbox.demo import judge
from sandbox.monitors import for_sandbox, load_own
from sandbox.mwaa import Airflow, airflow_home
from sandbox.process import child
from sandbox.proxy import running_proxy
from tests.conftest import TOPIC

FLEET = {
    "source": "sys_connection_log_s3", "athena_conn_id": "a", "namespace": "123456789012_sys", "settle_minutes": 60,
}  # fmt: skip
CRITICAL = Mail("[CRITICAL] (test) 1 remote host", "127.0.0.4 [11 times] new, GOT IN", {})


def a_monitor(folder: Path, **settings: object) -> Monitor:
    content = {"environment": "test", "sns_topic_arn": TOPIC} | settings
    (folder / "default.yaml").write_text(yaml.safe_dump(content))
    (monitor,), problems = load_monitors(folder)
    assert not problems
    return monitor


def in_sandbox(folder: Path, **settings: object) -> dict[str, object]:
    """The settings with which a monitor runs in the sandbox, as they are valid there."""
    (content,) = for_sandbox([a_monitor(folder, **settings)], schedule="* * * * *").values()
    there = folder / "sandbox"
    there.mkdir()
    return a_monitor(there, **yaml.safe_load(content)).settings.model_dump()


def test_a_monitor_keeps_what_it_says_about_detection(tmp_path: Path) -> None:
    settings = in_sandbox(tmp_path, threshold=3, window_minutes=7, environment="mine")
    assert (settings["threshold"], settings["window_minutes"], settings["environment"]) == (3, 7, "mine")


def test_a_monitor_publishes_to_the_sandboxs_topic_and_nowhere_else(tmp_path: Path) -> None:
    assert TOPIC not in str(in_sandbox(tmp_path))


def test_a_monitor_signs_in_with_the_sandboxs_connection(tmp_path: Path) -> None:
    own = {"conn_id": "mine", "user_parameter": "/user", "password_parameter": "/password", "aws_conn_id": "mine"}
    settings = in_sandbox(tmp_path, **own)
    assert [settings[name] for name in own] == ["redshift_default", None, None, "aws_default"]


def test_each_warehouse_of_a_file_runs_with_what_it_shares_and_under_its_own_id(tmp_path: Path) -> None:
    (tmp_path / "_shared.yaml").write_text(f"environment: test\nsns_topic_arn: {TOPIC}\n")
    (tmp_path / "fleet.yaml").write_text("threshold: 3\nwarehouses: [{name: sales}, {name: ops, threshold: 4}]\n")
    (tmp_path / "default.yaml").write_text("threshold: 5\n")
    own, _ = load_monitors(tmp_path)
    there = tmp_path / "sandbox"
    there.mkdir()
    for name, content in for_sandbox(own).items():
        (there / name).write_text(content)
    monitors, problems = load_monitors(there)
    assert problems == []
    assert {m.dag_id: (m.settings.threshold, m.settings.warehouse, m.settings.environment) for m in monitors} == {
        "redshift_auth_failure_alert": (5, None, "test"),
        "redshift_auth_failure_alert__fleet__sales": (3, "sales", "test"),
        "redshift_auth_failure_alert__fleet__ops": (4, "ops", "test"),
    }


@pytest.mark.parametrize(
    ("own", "log"),
    [
        ({}, "stl_connection_log"),
        ({"source": "sys_connection_log"}, "sys_connection_log"),
        ({"source": "auto", "auto_recent": "sys_connection_log", "athena_conn_id": "a"}, "sys_connection_log"),
        ({"source": "audit_log_s3", "athena_conn_id": "a", "settle_minutes": 180}, "stl_connection_log"),
        (FLEET | {"expect_warehouses": ["sales"]}, "stl_connection_log"),
    ],
    ids=["default", "sys", "auto", "S3", "fleet"],
)
def test_a_monitor_reads_a_log_that_the_sandbox_has(tmp_path: Path, own: dict[str, object], log: str) -> None:
    assert in_sandbox(tmp_path, **own)["source"] == log


@pytest.mark.parametrize("place", ["fleet.yaml", "_shared.yaml"])
def test_a_monitor_that_groups_by_warehouse_is_refused_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"environment": "test", "sns_topic_arn": TOPIC} | FLEET))
    with (tmp_path / place).open("a") as file:
        file.write("group_by: [warehouse, remote_host]\n")
    monkeypatch.setattr("sandbox.monitors.MONITORS", tmp_path)
    with pytest.raises(SettingsError, match=f"{place}: group_by names warehouse, and the sandbox has only one"):
        load_own()


def test_a_message_that_does_not_come_is_wrong_and_the_logs_are_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=rf"expected: 1, arrived: 0. Airflow's logs are in {tmp_path}"):
        judge(a_monitor(tmp_path, threshold=12), [], tmp_path)  # which one host reaches


def test_no_message_is_right_where_the_threshold_is_above_all_failures(tmp_path: Path) -> None:
    assert "no alert came, as 127.0.0.2 (12 failures)" in judge(a_monitor(tmp_path, threshold=13), [], tmp_path)


@pytest.mark.parametrize("changed", [{"group_by": ["user_name"]}, {"window_minutes": 4}, {"dry_run": True}], ids=str)
def test_the_demo_does_not_judge_where_another_setting_decides(tmp_path: Path, changed: dict[str, object]) -> None:
    (name,) = changed
    assert f"only for the default {name}" in judge(a_monitor(tmp_path, **changed), [], tmp_path)


def test_airflows_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    with airflow_home(tmp_path) as home:
        (home / "scheduler.log").touch()
    assert list(tmp_path.iterdir()) == []


def test_airflows_folder_is_removed_after_an_interrupt(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), airflow_home(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_airflows_logs_stay_where_a_time_out_says_that_they_are(tmp_path: Path) -> None:
    env: dict[str, str] = {}
    with pytest.raises(TimeoutError) as raised, airflow_home(tmp_path) as home:
        Airflow("http://127.0.0.1", home, env, home).wait_until(lambda: False, 0, "a run to end")
    named = Path(str(raised.value).split("logs are in ")[1])
    assert named.is_dir()
    assert named.parent == tmp_path


def test_all_runs_are_listed_though_airflow_gives_a_hundred_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def api(_airflow: Airflow, _method: str, path: str) -> dict[str, Any]:
        asked = parse_qs(urlsplit(path).query)
        first, limit = int(asked.get("offset", ["0"])[0]), min(100, int(asked["limit"][0]))
        return {"dag_runs": [{"id": run} for run in range(250)[first : first + limit]], "total_entries": 250}

    monkeypatch.setattr(Airflow, "api", api)
    runs = Airflow("http://127.0.0.1", tmp_path, {}, tmp_path).runs()
    assert [run["id"] for run in runs] == list(range(250))


def test_two_queries_at_once_copy_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied, twice = [], threading.Event()
    with running_cloud() as cloud, ThreadPoolExecutor(2) as both:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="logs", Key="a.csv", Body=b"1")
        get_object = s3.get_object

        def get_slowly(**which: str) -> Any:
            copied.append(which["Key"])
            if len(copied) == 2:
                twice.set()
            twice.wait(0.5)
            return get_object(**which)

        monkeypatch.setattr(s3, "get_object", get_slowly)
        found = list(both.map(files_in(s3, tmp_path), ["s3://logs/"] * 2))
    assert found == [[("s3://logs/a.csv", tmp_path / "logs" / "a.csv")]] * 2
    assert copied == ["a.csv"]


def wait_until_ready(log: Path) -> None:
    while "ready" not in log.read_text():
        time.sleep(0.05)


def test_a_process_that_does_not_stop_is_killed_even_where_the_wait_for_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("psutil.wait_procs", interrupted)
    deaf = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
    with pytest.raises(KeyboardInterrupt), child(deaf, tmp_path / "log") as process:
        wait_until_ready(tmp_path / "log")
    assert process.wait(10) == -signal.SIGKILL


def test_a_proxy_listens_on_loopback_only() -> None:
    with running_proxy(to_port=1) as proxy:
        sockets = psutil.Process().net_connections("inet")
    assert [each.laddr.ip for each in sockets if each.laddr.port == proxy.port] == ["127.0.0.1"]


def test_a_pipe_gets_plain_lines_while_something_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "SILENT_SECONDS", 0)
    output, repeated = io.StringIO(), threading.Event()
    shown = show.Show(Console(file=output))
    step = shown.step

    def noticed(text: str) -> None:
        step(text)
        if text == "... Counting: 3 of 30":
            repeated.set()

    monkeypatch.setattr(shown, "step", noticed)
    with shown.doing("Counting", 30) as advance:
        advance(3)
        assert repeated.wait(30)
    assert "\x1b" not in output.getvalue()


def test_a_terminal_gets_a_bar_and_colour() -> None:
    output = io.StringIO()
    shown = show.Show(Console(file=output, force_terminal=True, color_system="standard", no_color=False))
    with shown.doing("Counting", 30) as advance:
        advance(3)
    shown.mail(CRITICAL)
    assert "3/30" in output.getvalue()
    assert "\x1b[1;31mSubject: [CRITICAL]" in output.getvalue()


def test_no_color_is_respected_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    output = io.StringIO()
    show.Show(Console(file=output, force_terminal=True, color_system="standard")).mail(CRITICAL)
    assert "31m" not in output.getvalue()


def test_a_long_command_line_stays_on_one_line() -> None:
    output = io.StringIO()
    show.Show(Console(file=output, width=40)).command("x" * 200)
    assert "x" * 200 in output.getvalue()


def test_the_local_aws_begins_empty_after_another_one_in_the_same_process() -> None:
    with running_cloud() as cloud:
        cloud.client("s3").create_bucket(Bucket="left", CreateBucketConfiguration={"LocationConstraint": REGION})
    with running_cloud() as cloud:
        assert cloud.client("s3").list_buckets()["Buckets"] == []
