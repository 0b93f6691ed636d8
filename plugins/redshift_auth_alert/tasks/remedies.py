"""What an error of the warehouse or of AWS says, what to do about it, and whether a retry can help."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from traceback import walk_tb
from typing import NamedTuple

from airflow.configuration import conf
from airflow.exceptions import AirflowException, AirflowNotFoundException

from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.tasks.unreadable import describe_fault, fault_of
from redshift_auth_alert.tasks.versions import INCOMPLETE_CONNECTION, AirflowFailException, BaseHook


class Remedy(NamedTuple):
    """``sign`` is a regular expression that finds the error; the first remedy that finds it counts."""

    sign: str
    what_to_do: str
    retry: bool = False


# By SQLSTATE, then the error's words. A refused sign-in is not tried again: each try is one more failed sign-in from
# the worker's address.
_WAREHOUSE = (
    Remedy(
        "^28",
        "the warehouse refused the sign-in: check user and password of the connection. Its account may be locked: a "
        "superuser sees that with SHOW USER LOCKOUT and unlocks it with ALTER USER name LOGIN PASSWORD '...'. "
        "Sign-in by IAM cannot be locked out",
    ),
    # Redshift says so too where the view is not there for anybody.
    Remedy(
        "^42501.*stl_connection_log",
        "the user may not read the log: set source: sys_connection_log, and GRANT SELECT ON sys_connection_log to the "
        "user, as Redshift Serverless and Multi-AZ clusters let nobody read stl_connection_log. Only on a provisioned "
        "cluster in one Availability Zone does GRANT SELECT ON stl_connection_log help too",
    ),
    Remedy("^42501", "the user may not read the log: GRANT SELECT on it to the user"),
    Remedy(
        "^42P01",
        "the log does not exist there: Redshift Serverless has sys_connection_log only; set source: sys_connection_log",
    ),
    Remedy("^3D000", "the database does not exist: check the connection's schema field, which names the database"),
    Remedy("^53", "the warehouse is out of resources or connections", retry=True),
    Remedy(
        "^57014",
        "the warehouse cancelled the statement, as it took too long: check what keeps it busy",
        retry=True,
    ),
    Remedy("^57", "the warehouse is shutting down or restarting", retry=True),
    Remedy(
        "UTF-?8|Only ASCII characters|invalid byte sequence|unsupported character",
        "the log holds a name that the warehouse cannot process as text, so the interval is not evaluated: on a "
        "provisioned cluster with audit logging to S3, trigger a run of it with source: audit_log_s3",
    ),
    # After the names, as Redshift gives its internal errors, such as 8001 for text that is not ASCII, one SQLSTATE.
    Remedy(
        "^(08|40|58|XX)",
        "the warehouse could not complete the statement: it lost a connection, rolled back or had an internal error",
        retry=True,
    ),
    Remedy(".", "the warehouse refused the statement"),
)
# psycopg gives a refused sign-in no SQLSTATE, only the server's words.
_WORDS = {"password authentication failed|no password supplied": "28P01", 'database ".*" does not exist': "3D000"}
_UNREACHABLE = Remedy(
    "", "the warehouse could not be reached: check host, port, security group and whether it is paused", retry=True
)
# redshift_connector is taught to read such a name, see tasks/sign_in.py; psycopg is not.
_UNREADABLE = Remedy(
    "",
    "the log holds a name that is no valid text, which a connection of type postgres cannot read: make it one of type "
    "redshift, then clear this run",
)
_GARBLED = Remedy("", "the driver could not read what the warehouse sent", retry=True)
# redshift_connector reads on where the connection ended, and fails in Python's own parser.
_CUT = Remedy("", "the connection to the warehouse was cut while the result was read", retry=True)
_FAILED = Remedy("", "the query failed", retry=True)

# By the words of AWS: an error's code, or Athena's reason.
_AWS = (
    Remedy("Bytes scanned limit",
           "the workgroup's limit of scanned bytes stopped the query: ask for a shorter interval, or raise the limit"),
    Remedy("ParameterNotFound", "there is no such parameter in this account and region"),
    Remedy("ClusterNotFound", "there is no such cluster in this account and region"),
    Remedy("ResourceNotFoundException", "there is no such workgroup in this account and region"),
    Remedy("CATALOG_NOT_FOUND|Catalog .* (does not exist|not found)",
           "the data catalog does not exist: check catalog, and turn on the integration of S3 table buckets with AWS "
           "analytics services (S3 console, Table buckets). It appears once Redshift publishes"),
    Remedy("(TABLE|SCHEMA)_NOT_FOUND.*(_sys\\b|sys_connection_log)",
           "Redshift does not publish that: publish sys_connection_log, and set namespace to the S3TableNamespace that "
           "aws redshift describe-logging-status shows (Serverless: aws redshift-serverless get-namespace)"),
    Remedy("TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|(Table|Schema|Database) .* (does not exist|not found)",
           "the table or the database does not exist: run include/sql/setup/ in Athena, in the database that the "
           "connection's schema field names"),
    Remedy("Access ?Denied|not authorized|Unauthorized|[Ii]nsufficient permissions|UnrecognizedClient|ExpiredToken|"
           "locate credentials", "access is denied: the role needs {rights}"),
    Remedy("Throttling|TooManyRequests|Rate exceeded|SlowDown|[Ee]xhausted resources|INTERNAL_ERROR",
           "AWS is throttling or short of resources", retry=True),
    Remedy("HIVE_CURSOR_ERROR|HIVE_BAD_DATA|HIVE_CANNOT_OPEN_SPLIT",
           "a file of the log cannot be read, so the interval is not evaluated: restore the file that is named, "
           "or move it away, then clear this run"),
    Remedy("Could not connect to the endpoint", "AWS could not be reached: check region_name and the VPC's endpoints",
           retry=True),
    Remedy("SYNTAX_ERROR|_NOT_FOUND|TYPE_MISMATCH|FUNCTION_", "Athena refused the statement"),
    Remedy("[Cc]ancell?ed", "the query was cancelled", retry=True),
    Remedy("Could not find results|NoSuchKey", "the query's results are gone: it runs again", retry=True),
    Remedy("region_name must be specified|s3_staging_dir|output location|OutputLocation|WorkGroup",
           "the connection is not complete: its extra needs region_name, and s3_staging_dir or a work_group that has "
           "one"),
)  # fmt: skip
_ATHENA_RIGHTS = (
    "Athena (start, get and stop queries, get results), Glue (get databases, tables and partitions), reading of the "
    "log's bucket, reading and writing of the results' bucket; for tables that Redshift publishes also "
    "lakeformation:GetDataAccess, s3tables:GetTable, GetTableData and GetTableMetadataLocation"
)


def aws_remedy(error: Exception, rights: str, otherwise: Remedy = _FAILED) -> Remedy:
    """Return the remedy for an error of AWS, for a call that needs ``rights``."""
    found = _find(_AWS, str(error)) or otherwise
    return found._replace(what_to_do=found.what_to_do.format(rights=rights))


def check_connection_type(conn_id: str, valid: str) -> None:
    """Raise AirflowFailException where the connection is malformed or of no ``valid`` type, comma-separated."""
    connection = BaseHook.get_connection(conn_id)
    if fault := fault_of(connection):
        raise AirflowFailException(describe_fault(conn_id, fault))
    conn_type = connection.conn_type
    if valid and conn_type not in valid.split(","):
        raise AirflowFailException(
            f"Connection {conn_id!r} is of type {conn_type!r}; valid for the run's source: {valid.replace(',', ', ')}. "
            "conn_id names the connection to the warehouse, athena_conn_id the one to Athena"
        )


def check_scanned(scanned: int, most_gb: float, queries: str) -> None:
    """Raise AirflowFailException where Athena scanned more bytes than ``max_scanned_gb`` allows a run."""
    if scanned > most_gb * 1e9:
        raise AirflowFailException(
            f"Athena scanned {scanned / 1e9:,.1f} GB, more than max_scanned_gb allows ({most_gb:g}; query {queries}): "
            "ask for a shorter interval, name the cluster, or raise max_scanned_gb. A limit of the Athena workgroup "
            "cancels such a query, and caps what it costs"
        )


@contextmanager
def explained_errors(conn_id: str, queries: Sequence[str] = ()) -> Iterator[None]:
    """Raise an error of the connection ``conn_id`` as AirflowFailException or AirflowException that says what to fix.

    The former where a retry cannot help. ``queries`` are the ids of the queries that were started, as far as known.
    """
    try:
        yield
    except AirflowNotFoundException as error:
        # A secrets backend that could not be reached gives the same error, and may be reachable the next time.
        kind = AirflowException if conf.get("secrets", "backend", fallback="") else AirflowFailException
        raise kind(
            describe_fault(conn_id)
            or f"Connection {conn_id!r} is not defined: add it, or name a defined one as conn_id or athena_conn_id. "
            "With a secrets backend, the log above says whether it could be reached"
        ) from error
    except (AirflowFailException, AlertError):
        raise
    except Exception as error:
        remedy = _remedy(error)
        kind = AirflowException if remedy.retry else AirflowFailException
        query = f"; query {queries[-1]}" if queries else ""
        raise kind(f"Connection {conn_id!r}: {remedy.what_to_do} ({_brief(error)}{query})") from error


def is_refused(error: Exception) -> bool:
    """Whether the warehouse refused the sign-in: each further try may lock the user."""
    return sqlstate_of(error).startswith("28")


def sqlstate_of(error: Exception) -> str:
    """Return the SQLSTATE of a driver's error, or ''. psycopg has an attribute for it, redshift_connector a dict."""
    details = error.args[0] if error.args else None
    if isinstance(details, dict):
        return str(details.get("C", ""))
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state or next((state for words, state in _WORDS.items() if re.search(words, str(error))), "")


def _remedy(error: Exception) -> Remedy:
    driver = type(error).__module__.split(".")[0]
    if driver in ("pyathena", "botocore", "airflow") or isinstance(error, INCOMPLETE_CONNECTION):
        return aws_remedy(error, _ATHENA_RIGHTS)
    if isinstance(error, struct.error):
        return _CUT
    if isinstance(error, UnicodeDecodeError):
        modules = {frame.f_globals.get("__name__", "").split(".")[0] for frame, _ in walk_tb(error.__traceback__)}
        return _GARBLED if "redshift_connector" in modules else _UNREADABLE
    state = sqlstate_of(error)
    unreachable = driver in ("redshift_connector", "psycopg", "psycopg2") or isinstance(error, OSError)
    return (state and _find(_WAREHOUSE, f"{state} {error}")) or (_UNREACHABLE if unreachable else _FAILED)


def _find(remedies: Sequence[Remedy], text: str) -> Remedy | None:
    return next((remedy for remedy in remedies if re.search(remedy.sign, text)), None)


def _brief(error: Exception) -> str:
    details = error.args[0] if error.args else None
    text = str(details.get("M", json.dumps(details, default=str))) if isinstance(details, dict) else str(error)
    return f"{type(error).__name__}: {text.strip()}"
