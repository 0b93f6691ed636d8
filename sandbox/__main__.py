"""``python -m sandbox demo``, ``history``, ``up``, ``pictures`` and ``fail``."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from redshift_auth_alert.settings.errors import AlertError
from sandbox.process import INTERRUPTS, ignore_interrupts


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=sys.modules["sandbox"].__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("demo", help="real failed logins in, one alert out")
    commands.add_parser("history", help="thirty days of logs in S3, one backfill")
    commands.add_parser("up", help="run until interrupted")
    commands.add_parser("pictures", help="take the pictures of README")
    fail = commands.add_parser("fail", help="fail ten logins at a running sandbox")
    fail.add_argument("port", type=int, help="port of the local Redshift, as make up prints it")
    fail.add_argument("address", help="loopback address to come from, such as 127.0.0.2")
    arguments = parser.parse_args()
    interrupted = 0 if arguments.command == "up" else 130  # nothing but an interrupt ends "up"
    _on_interrupt(lambda *_: os._exit(interrupted))  # while nothing is running yet
    command = importlib.import_module(f"sandbox.{arguments.command}")  # each imports much, so only the one asked for
    _on_interrupt(_interrupt)
    try:
        return int(command.run(arguments))
    except KeyboardInterrupt:
        print("Everything is stopped, and nothing is left behind.")
        return interrupted
    except (AlertError, RuntimeError, TimeoutError) as error:
        Console(stderr=True).print(Text(str(error), "red"), soft_wrap=True)
        return 1


def _on_interrupt(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in INTERRUPTS:
        signal.signal(number, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop in order."""
    ignore_interrupts()
    os.write(2, b"\nStopping; this takes a few seconds.\n")  # print may have been interrupted half-way
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
