"""Child processes that never outlive the block that started them."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


def ignore_interrupts() -> None:
    """Let nothing but a kill cut short what stops everything, or something would be left behind."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def child(
    command: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` with its output in ``log``; at the end stop it and every process that it started."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, user=user, cwd=log.parent,
            start_new_session=True,  # an interrupt from the terminal reaches us, and we stop the child in order
            preexec_fn=lambda: _die_with_parent(stop_signal),  # noqa: PLW1509 -- calls nothing that takes a lock
        )  # fmt: skip
    try:
        yield process
    finally:
        stop(process, stop_signal)


def _die_with_parent(stop_signal: signal.Signals) -> None:
    """Have the kernel send this process ``stop_signal`` when its parent is killed; Linux only."""
    if _PRCTL:
        _PRCTL(1, int(stop_signal))  # PR_SET_PDEATHSIG


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals = signal.SIGTERM) -> None:
    """Signal ``process`` to stop, then kill whatever of it and its descendants is left after a while."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    process.send_signal(stop_signal)
    try:
        psutil.wait_procs(family, timeout=10)
    finally:  # also where an interrupt cuts the wait short
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait(5)


class Service:
    """A command that is started again whenever it ends, until it is asked to ``end``."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: Mapping[str, str]) -> None:
        self._command, self._log, self._env = command, log, env
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._left_behind: list[psutil.Process] = []
        # The thread lives as long as its child: the kernel would stop the child with it.
        self._thread = threading.Thread(target=self._keep_up, daemon=True, name=log.stem)
        self._thread.start()

    def _keep_up(self) -> None:
        while not self._ended.is_set():
            with child(self._command, self._log, env=self._env) as self._process:
                while self._process.poll() is None and not self._ended.wait(0.1):
                    pass

    def kill(self) -> None:
        """Kill the process alone, as the kernel does. What it has started goes on until the service ends."""
        assert self._process
        with contextlib.suppress(psutil.NoSuchProcess):
            self._left_behind += psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()

    def end(self) -> None:
        """Begin to stop it."""
        self._ended.set()

    def join(self) -> None:
        """Stop it, and wait until nothing of it is left."""
        self.end()
        self._thread.join()
        for process in self._left_behind:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in (*process.children(recursive=True), process):
                    each.kill()


@contextlib.contextmanager
def service(command: Sequence[str | Path], log: Path, env: Mapping[str, str]) -> Iterator[Service]:
    """Run ``command`` as a service until the end of the block."""
    running = Service(command, log, env)
    try:
        yield running
    finally:
        running.join()
