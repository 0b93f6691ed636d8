"""How a connection to the warehouse signs in: with its own password, one of SSM, or one that IAM gives out."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from functools import cached_property
from typing import Any

import redshift_connector
from airflow.exceptions import AirflowException
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from airflow.providers.amazon.aws.hooks.ssm import SsmHook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.log import mask_secret
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from redshift_connector.utils.type_utils import text_recv

from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.tasks.remedies import Remedy, aws_remedy
from redshift_auth_alert.tasks.versions import AirflowFailException, BaseHook

# What the provider's hook needed for the token. It would hand them on to the driver, which would then sign in a second
# time, with boto3's own credentials and with a right to describe every cluster.
_USED_UP = (
    "iam", "cluster_identifier", "is_serverless", "serverless_work_group", "serverless_token_duration_seconds",
    "aws_conn_id",
)  # fmt: skip
_UNREACHABLE = Remedy("", "AWS could not be reached", retry=True)
CONNECT_SECONDS = 10
# Below the task's limit of 10 minutes, so that the server ends what the task would leave behind.
STATEMENT_SECONDS = 540
# The driver's own IAM sign-in reads these; the provider's, used here, does not. Ignoring them would sign in with fewer
# rights than the connection asks for.
_NOT_TAKEN = ("db_groups", "auto_create", "group_federation", "credentials_provider")


Guard = Callable[[str, str], AbstractContextManager[None]]


def _unguarded(_user: str, _warehouse: str) -> AbstractContextManager[None]:
    return nullcontext()


class SignInError(AlertError):
    """AWS could not be asked for what a connection signs in with; a retry may help."""


class SignInHook(RedshiftSQLHook):
    """RedshiftSQLHook that signs in with SSM parameters, where they are named, or by IAM, where it says so.

    ``user_parameter`` and ``password_parameter`` are names of SSM parameters. Raises AirflowFailException or, where
    trying again can help, SignInError.
    """

    def __init__(
        self,
        *,
        user_parameter: str | None = None,
        password_parameter: str | None = None,
        guard: Guard = _unguarded,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._parameters = user_parameter, password_parameter
        self._guard = guard
        self._opened: Any = None

    @cached_property
    def conn(self) -> Any:
        """The connection, with the user and the password to sign in with."""
        connection = deepcopy(self.get_connection(self.get_conn_id()))
        user, password = self._parameters
        extra = connection.extra_dejson
        if user and password:
            ssm = SsmHook(aws_conn_id=self.aws_conn_id)
            connection.login = _parameter(ssm, "user_parameter", user)
            connection.password = _parameter(ssm, "password_parameter", password)
        elif extra.get("iam"):
            who = f"{connection.login or 'the role'} in {connection.schema}"
            if named := [name for name in _NOT_TAKEN if name in extra]:
                raise AirflowFailException(f"no sign-in by IAM as {who}: {', '.join(named)} is not taken; remove it")
            action = (
                "redshift-serverless:GetCredentials" if extra.get("is_serverless") else "redshift:GetClusterCredentials"
            )
            with _explained(f"no sign-in by IAM as {who}", action):
                connection.login, connection.password, connection.port = self.get_iam_token(connection)
            self._guard = _unguarded  # no password of its own, so it cannot be locked
        if connection.password:
            mask_secret(connection.password)
        connection.extra = json.dumps({name: value for name, value in extra.items() if name not in _USED_UP})
        return connection

    def get_conn(self) -> Any:
        """Return a connection of the driver. Try once: each refused sign-in counts as one from the worker's address."""
        extra = {"timeout": CONNECT_SECONDS} | self.conn.extra_dejson
        with self._guard(str(self.conn.login), f"{self.conn.host}:{self.conn.port or 5439}"):
            self._opened = redshift_connector.connect(**self._get_conn_params(), **extra)
        types = self._opened.redshift_types
        types.update({oid: (form, _read_text) for oid, (form, read) in types.items() if read is text_recv})
        with self._opened.cursor() as cursor:
            cursor.execute(f"SET statement_timeout TO {1000 * STATEMENT_SECONDS}")
        # The driver's timeout is also that of each read, which from now on may take as long as the statement.
        self._opened._usock.settimeout(STATEMENT_SECONDS + CONNECT_SECONDS)
        return self._opened

    def stop_queries(self) -> None:
        """Cancel the running statement, which would go on without its client: PostgreSQL's cancel request."""
        if self._opened is None:
            return
        address, key = self._opened._usock.getpeername(), self._opened._backend_key_data
        with socket.create_connection(address[:2], CONNECT_SECONDS) as request:
            request.sendall(struct.pack("!ii", 8 + len(key), 80877102) + key)


class StoppablePostgresHook(PostgresHook):
    """PostgresHook that ends its statements in time, and can cancel them."""

    def __init__(self, connection: Any, guard: Guard = _unguarded) -> None:
        self._guard = guard
        connection = deepcopy(connection)
        connection.extra = json.dumps({"connect_timeout": CONNECT_SECONDS} | connection.extra_dejson)
        super().__init__(connection=connection, options=f"-c statement_timeout={1000 * STATEMENT_SECONDS}")

    def get_conn(self) -> Any:
        """Return a connection of the driver."""
        with self._guard(str(self.connection.login), f"{self.connection.host}:{self.connection.port or 5432}"):
            return super().get_conn()

    def stop_queries(self) -> None:
        """Cancel the running statement."""
        if self.conn:
            self.conn.cancel()


def choose_hook(
    conn_id: str,
    queries: list[str],
    *,
    aws_conn_id: str | None = "aws_default",
    user_parameter: str | None = None,
    password_parameter: str | None = None,
    guard: Guard = _unguarded,
) -> Any:
    """Return the hook of the connection ``conn_id``; to ``queries`` it adds the id of each query that Athena starts.

    Each sign-in with a password goes through ``guard(user, warehouse)``, a context manager.
    The extra of ``conn_id`` may name its own ``aws_conn_id``; where it does not, that of Athena is ``aws_default``.
    """
    connection = BaseHook.get_connection(conn_id)
    own = connection.extra_dejson.get("aws_conn_id")
    if connection.conn_type == "redshift":
        return SignInHook(
            redshift_conn_id=conn_id,
            aws_conn_id=own or aws_conn_id,
            user_parameter=user_parameter,
            password_parameter=password_parameter,
            guard=guard,
        )
    if connection.conn_type == "athena":
        from redshift_auth_alert.tasks.athena import QueryIdHook  # PyAthena, which only its task needs

        return QueryIdHook(queries, athena_conn_id=conn_id, aws_conn_id=own or "aws_default")
    if user_parameter or password_parameter:
        raise AirflowFailException(
            f"Connection {conn_id!r} is of type {connection.conn_type!r}; user_parameter and password_parameter are "
            "for type redshift: change the type, or put user and password into the connection"
        )
    return StoppablePostgresHook(connection, guard)


def _read_text(data: bytes, start: int, length: int) -> str:
    """Read text that need not be whole: Redshift cuts a long name by bytes, and the driver refuses half a character."""
    return bytes(data[start : start + length]).decode(errors="backslashreplace")


def _parameter(ssm: SsmHook, setting: str, name: str) -> str:
    with _explained(f"{setting} {name!r} cannot be read", "ssm:GetParameter, and kms:Decrypt with the parameter's key"):
        return str(ssm.get_parameter_value(name)).strip()


@contextmanager
def _explained(what: str, rights: str) -> Iterator[None]:
    try:
        yield
    except (AirflowException, ParamValidationError) as error:
        raise AirflowFailException(f"{what}: the connection is not complete ({error})") from error
    except (ClientError, BotoCoreError) as error:
        remedy = aws_remedy(error, rights, otherwise=_UNREACHABLE)
        kind = SignInError if remedy.retry else AirflowFailException
        raise kind(f"{what}: {remedy.what_to_do} (needed: {rights}; {type(error).__name__}: {error})") from error
