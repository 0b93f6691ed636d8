"""The sandbox as a new user meets it: its commands run in a copy of the checkout, and what they print is done."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import yaml

from tests.commands.checkout import copy_checkout

ALERT = r"\[10 times\] new"


@dataclass
class Command:
    """A command that runs in ``checkout``, with a home and a folder for temporary files of its own."""

    checkout: Path
    env: dict[str, str]
    output: Path
    process: subprocess.Popen[bytes]
    ended: int | None = field(default=None)

    @property
    def printed(self) -> str:
        return self.output.read_text()

    def wait_for(self, pattern: str, times: int = 1) -> list[str]:
        deadline = time.monotonic() + 200
        while len(found := re.findall(pattern, self.printed)) < times:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, f"waited for {pattern}:\n{self.printed}"
            time.sleep(0.2)
        return found

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)

    def left_behind(self) -> list[Path]:
        folders = [Path(self.env["HOME"]), Path(self.env["TMPDIR"])]
        return [path for folder in folders for path in folder.iterdir()]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that other users may enter, as PostgreSQL runs as one of them where this is root."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)  # pytest closes its own whenever another pytest starts
        yield Path(made)


@pytest.fixture(scope="module")
def checkout(folder: Path) -> Path:
    return copy_checkout(folder / "checkout")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    """A shell's environment, which knows nothing of the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "AIRFLOW"))}
    places = {"HOME": f"{folder}/home", "TMPDIR": f"{folder}/tmp"}
    for place in places.values():
        Path(place).mkdir()
    return kept | places


def start(checkout: Path, env: dict[str, str], *command: str) -> Command:
    output = checkout / f"{'-'.join(command[-1:])}.out"
    with output.open("wb") as printed:
        process = subprocess.Popen(
            command, cwd=checkout, env=env, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    return Command(checkout, env, output, process)


def run(checkout: Path, env: dict[str, str], *command: str) -> Command:
    started = start(checkout, env, *command)
    started.process.wait(300)
    return started


def monitor_file(checkout: Path, **changed: object) -> None:
    file = checkout / "include" / "monitors" / "default.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changed))


@pytest.fixture(scope="module")
def up(checkout: Path, env: dict[str, str]) -> Iterator[Command]:
    """A running "make up", from the moment that its welcome stands there."""
    command = start(checkout, env, "make", "-o", ".venv/.ready", "up")
    try:
        command.wait_for("Ctrl-C stops everything")
        yield command
    finally:
        command.interrupt()


def paste(up: Command, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], cwd="/", env=up.env, capture_output=True, text=True, check=False)


def test_the_line_with_python_fails_ten_logins(up: Command) -> None:
    (line,) = re.findall(r"^  (cd .*)$", up.printed, flags=re.MULTILINE)
    done = paste(up, line)
    assert done.stdout.startswith("Ten logins from 127.0.0.2 failed"), done.stderr


@pytest.mark.skipif(not shutil.which("psql"), reason="psql is not installed")
def test_the_line_with_psql_fails_ten_logins(up: Command) -> None:
    (line,) = re.findall(r"^  (for .*)$", up.printed, flags=re.MULTILINE)
    done = paste(up, line)
    assert done.stderr.count('password authentication failed for user "analyst"') == 10, done.stderr


def test_an_attack_right_after_the_welcome_is_reported_as_new(up: Command) -> None:
    up.wait_for(rf"127\.0\.0\.2 {ALERT}")


def listening(family: list[psutil.Process]) -> set[tuple[str, str]]:
    """Which of the processes listen on which addresses."""
    found = set()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # tasks come and go
            sockets = process.net_connections("inet")
            found |= {(process.name(), each.laddr.ip) for each in sockets if each.status == psutil.CONN_LISTEN}
    return found


def test_every_server_of_make_up_listens_on_loopback_only(up: Command) -> None:
    up.wait_for(rf"127\.0\.0\.2 {ALERT}")  # and so all of them are up
    found = listening(psutil.Process(up.process.pid).children(recursive=True))
    assert {name for name, _ in found} >= {"postgres", "python"}
    assert {address for _, address in found} == {"127.0.0.1"}, found


def test_a_second_sandbox_of_the_checkout_says_where_the_first_one_is(up: Command) -> None:
    second = run(up.checkout, up.env, sys.executable, "-m", "sandbox", "up")
    assert second.process.returncode == 1
    assert re.fullmatch(r"The sandbox of this checkout is already running: http://127\.0\.0\.1:\d+\n", second.printed)


def test_ctrl_c_ends_make_up_without_an_error_and_leaves_nothing_behind(up: Command) -> None:
    up.interrupt()
    assert up.printed.endswith("Everything is stopped, and nothing is left behind.\n")
    assert "***" not in up.printed
    assert up.left_behind() == []
    assert [path.name for path in (up.checkout / ".sandbox").iterdir()] == ["up.lock"]


def test_a_login_without_a_running_sandbox_says_what_to_give(checkout: Path, env: dict[str, str]) -> None:
    failed = run(checkout, env, sys.executable, "-m", "sandbox", "fail", "1", "127.0.0.2")
    assert failed.process.returncode == 1
    assert 'Give the port that "make up" prints' in failed.printed
    assert "Traceback" not in failed.printed


@pytest.fixture(scope="module")
def demo(checkout: Path, env: dict[str, str]) -> Command:
    """A demo that has ended, with a threshold that the user has changed from 10 to 9."""
    monitor_file(checkout, threshold=9)
    return run(checkout, env, "make", "-o", ".venv/.ready", "demo")


def test_the_demo_goes_by_the_checkouts_monitor_file(demo: Command) -> None:
    assert demo.process.returncode == 0, demo.printed
    named = re.findall(r"^(\S+) \[\d+ times\]", demo.printed, flags=re.MULTILINE)
    assert sorted(named) == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]


def test_the_demo_says_what_was_right(demo: Command) -> None:
    assert "default.yaml has a threshold of 9, and one alert names 127.0.0.2 (12 failures), 127.0.0.3" in demo.printed


def test_the_demo_shows_the_message_before_it_stops_anything(demo: Command) -> None:
    assert demo.printed.index("Subject: [CRITICAL]") < demo.printed.index("Stopping everything")


def test_the_demo_leaves_nothing_behind(demo: Command) -> None:
    assert demo.left_behind() == []
    assert not list((demo.checkout / ".sandbox").glob("airflow-*"))


def test_the_demo_prints_plain_text_where_there_is_no_terminal(demo: Command) -> None:
    assert "\x1b" not in demo.printed


def test_each_make_target_that_the_demo_names_is_there(demo: Command) -> None:
    named = re.findall(r'"make ([a-z-]+)"', demo.printed)
    assert named
    for target in named:
        run = subprocess.run(["make", "-n", target], cwd=demo.checkout, capture_output=True, check=False)
        assert run.returncode == 0


def test_an_invalid_monitor_file_gives_its_message_before_anything_starts(tmp_path: Path, env: dict[str, str]) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    monitor_file(checkout, treshold=9)
    demo = run(checkout, env, sys.executable, "-m", "sandbox", "demo")
    assert demo.process.returncode == 1
    assert re.match(r"\S+/default\.yaml: unknown setting 'treshold'; did you mean 'threshold'\?", demo.printed)
    assert "Traceback" not in demo.printed
