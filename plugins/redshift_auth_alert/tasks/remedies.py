"""What an error of the query says, and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow.configuration import conf
from airflow.exceptions import AirflowException, AirflowNotFoundException

from redshift_auth_alert.tasks.sign_in import SignInError
from redshift_auth_alert.tasks.versions import INCOMPLETE_CONNECTION, AirflowFailException, BaseHook

# SQLSTATE (its first characters) -> what to do, and whether trying again can help. A wrong password is not tried
# again: each try is one more failed login from the worker's address.
_REMEDIES: tuple[tuple[str, str, bool], ...] = (
    ("28", "the warehouse refused the login: check user and password of the connection", False),
    ("42501", "the user may not read the log: GRANT SELECT on it, or GRANT ROLE sys:monitor, to the user", False),
    ("42P01", "the log does not exist there: Redshift Serverless has sys_connection_log only", False),
    ("3D000", "the database does not exist: check the connection's schema field, which names the database", False),
    ("53", "the warehouse is out of resources or connections", True),
    ("57", "the warehouse cancelled the statement or is shutting down", True),
)
# psycopg gives a refused login no SQLSTATE, only the server's words.
_REFUSALS = {"password authentication failed|no password supplied": "28P01", 'database ".*" does not exist': "3D000"}
_UNREACHABLE = "the warehouse could not be reached: check host, port, security group and whether it is paused"

# Words in Athena's reason -> what to do, and whether trying again can help; the first that is found counts.
_ATHENA: tuple[tuple[str, str, bool], ...] = (
    (
        "Bytes scanned limit",
        "the workgroup's limit of scanned bytes stopped the query: ask for a shorter interval, or raise the limit",
        False,
    ),
    (
        "TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|(Table|Schema|Database) .* (does not exist|not found)",
        "the table or the database is not there: run include/sql/setup/ in Athena, in the database that the "
        "connection's schema field names",
        False,
    ),
    (
        "Access ?Denied|not authorized|[Ii]nsufficient permissions|UnrecognizedClient|ExpiredToken|locate credentials",
        "access is denied: the role needs Athena (start, get and stop queries, get results), Glue (get databases, "
        "tables and partitions), reading of the log's bucket, reading and writing of the results' bucket",
        False,
    ),
    (
        "Throttling|TooManyRequests|Rate exceeded|SlowDown|[Ee]xhausted resources|INTERNAL_ERROR",
        "Athena is throttled or short of resources",
        True,
    ),
    (
        "HIVE_CURSOR_ERROR|HIVE_BAD_DATA|HIVE_CANNOT_OPEN_SPLIT",
        "a file of the log cannot be read, so nothing is said of the interval: restore the file that the reason names, "
        "or move it away, then clear this run",
        False,
    ),
    (
        "Could not connect to the endpoint",
        "Athena could not be reached: check region_name and the VPC's endpoints",
        True,
    ),
    ("SYNTAX_ERROR|_NOT_FOUND|TYPE_MISMATCH|FUNCTION_", "Athena refused the statement", False),
    ("[Cc]ancell?ed", "the query was cancelled", True),
    ("Could not find results|NoSuchKey", "the query's results are gone: it is run again", True),
    (
        "region_name must be specified|s3_staging_dir|output location|OutputLocation|WorkGroup",
        "the connection is not complete: its extra needs region_name, and s3_staging_dir or a work_group that has one",
        False,
    ),
)


def check_connection_type(conn_id: str, valid: str) -> None:
    """Raise AirflowFailException where the connection is of none of the ``valid`` types, comma-separated."""
    conn_type = BaseHook.get_connection(conn_id).conn_type
    if valid and conn_type not in valid.split(","):
        raise AirflowFailException(
            f"Connection {conn_id!r} is of type {conn_type!r}; valid for the run's source: {valid.replace(',', ', ')}. "
            "conn_id names the connection to the warehouse, athena_conn_id the one to Athena"
        )


@contextmanager
def explained_errors(conn_id: str, queries: Sequence[str] = ()) -> Iterator[None]:
    """Raise an error of the connection ``conn_id`` as AirflowFailException or AirflowException that says what to mend.

    The former where a retry cannot mend it. ``queries`` are the ids of the queries that were started, as far as known.
    """
    try:
        yield
    except AirflowNotFoundException as error:
        # A secrets backend that could not be asked gives the same error, and can be asked the next time.
        kind = AirflowException if conf.get("secrets", "backend", fallback="") else AirflowFailException
        raise kind(
            f"Connection {conn_id!r} is not defined: add it, or name one that is as conn_id or athena_conn_id; of a "
            "secrets backend the log above says whether it could be asked"
        ) from error
    except (AirflowFailException, SignInError):
        raise
    except Exception as error:
        remedy, retry = _remedy(error)
        kind = AirflowException if retry else AirflowFailException
        query = f"; query {queries[-1]}" if queries else ""
        raise kind(f"Connection {conn_id!r}: {remedy} ({_brief(error)}{query})") from error


def _remedy(error: Exception) -> tuple[str, bool]:
    driver = type(error).__module__.split(".")[0]
    if driver in ("pyathena", "botocore", "airflow") or isinstance(error, INCOMPLETE_CONNECTION):
        for words, remedy, retry in _ATHENA:
            if re.search(words, str(error)):
                return remedy, retry
        return "the query failed", True
    state = _sqlstate(error)
    for prefix, remedy, retry in _REMEDIES:
        if state.startswith(prefix):
            return remedy, retry
    if state:
        return "the warehouse refused the statement", False
    if driver in ("redshift_connector", "psycopg", "psycopg2") or isinstance(error, OSError):
        return _UNREACHABLE, True
    return "the query failed", True


def _sqlstate(error: Exception) -> str:
    """SQLSTATE of a driver's error, '' where it has none: psycopg has an attribute, redshift_connector a dict."""
    details = error.args[0] if error.args else None
    if isinstance(details, dict):
        return str(details.get("C", ""))
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state or next((state for text, state in _REFUSALS.items() if re.search(text, str(error))), "")


def _brief(error: Exception) -> str:
    details = error.args[0] if error.args else None
    text = str(details.get("M", json.dumps(details, default=str))) if isinstance(details, dict) else str(error)
    return f"{type(error).__name__}: {text.strip()}"
