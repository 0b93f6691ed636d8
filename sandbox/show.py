"""What the commands print: steps with their time, progress while one lasts, messages as a subscriber sees them."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from sandbox.aws import Mail

SILENT_SECONDS = 4  # at most, where there is no terminal to show a spinner on
SEVERITIES = {"CRITICAL": "bold red", "ALERT": "bold yellow", "OVER": "bold green", "FAILED": "bold magenta"}


class Show:
    """Prints for a command. Colour and a spinner are for a terminal; a pipe gets plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began = self._spoke = time.monotonic()

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        self._spoke = time.monotonic()
        self._console.print(Text(text, style), soft_wrap=True)

    def step(self, text: str) -> None:
        """Print what has been done, with the seconds since the start."""
        self._spoke = time.monotonic()
        seconds = Text(f"{self._spoke - self._began:4.0f} s  ", "dim")
        self._console.print(seconds.append_text(Text(text, "default not dim")), soft_wrap=True)

    def command(self, text: str) -> None:
        """Print a command line to paste."""
        self.say(f"  {text}", "bold cyan")

    @contextlib.contextmanager
    def doing(self, text: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show what is being done during the block; yields a function that takes how many of ``total`` are done."""
        with self._bar(text, total) if self._console.is_interactive else self._lines(text, total) as advance:
            yield advance

    def waiting(self, text: str) -> contextlib.AbstractContextManager[object]:
        """Show on a terminal that it is waiting for something that may never come."""
        return self._bar(text, None) if self._console.is_interactive else contextlib.nullcontext()

    @contextlib.contextmanager
    def _bar(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        counted = [BarColumn(), MofNCompleteColumn()] if total else []
        columns = [SpinnerColumn(), TextColumn("{task.description}"), *counted, TimeElapsedColumn()]
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(text, total=total)
            yield lambda done: progress.update(task, completed=done)

    @contextlib.contextmanager
    def _lines(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        done, ended = 0, threading.Event()

        def advance(to: int) -> None:
            nonlocal done
            done = to

        def repeat() -> None:
            while not ended.wait(0.5):
                if time.monotonic() - self._spoke >= SILENT_SECONDS:
                    self.step(f"... {text}" + (f": {done} of {total}" if total else ""))

        self.step(f"{text} ...")
        thread = threading.Thread(target=repeat, daemon=True)
        thread.start()
        try:
            yield advance
        finally:
            ended.set()
            thread.join()

    def mail(self, mail: Mail) -> None:
        """Print a message between two rules."""
        severity = re.match(r"\[(\w+)\]", mail.subject)
        body = Text(mail.body)
        body.highlight_regex(r"(?m)^\S+ \[\d+ times\].*$", "bold")
        body.highlight_regex(r"GOT IN", "bold red")
        self.say("-" * 78, "dim")
        self.say(f"Subject: {mail.subject}", SEVERITIES.get(severity[1], "bold") if severity else "bold")
        self.say()
        self._console.print(body, soft_wrap=True)
        self.say("-" * 78, "dim")
