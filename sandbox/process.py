"""Child processes that never outlive the block that started them."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
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
