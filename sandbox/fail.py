"""``python -m sandbox fail``: ten failed logins at a running sandbox, as an attacker would."""

from __future__ import annotations

import argparse

import redshift_connector

from sandbox.warehouse import login

USER = "analyst"


def run(arguments: argparse.Namespace) -> int:
    """Fail ten logins; raise RuntimeError where no sandbox answers."""
    try:
        for _ in range(10):
            login(arguments.address, arguments.port, USER, "wrong")
    except redshift_connector.InterfaceError as error:
        raise RuntimeError(
            f"No login from {arguments.address} reaches a sandbox on port {arguments.port}: {error.args[-1]}\n"
            'Give the port that "make up" prints, while it runs, and a loopback address such as 127.0.0.2.'
        ) from error
    print(f'Ten logins from {arguments.address} failed as {USER}. The alert shows where "make up" runs.')
    return 0
