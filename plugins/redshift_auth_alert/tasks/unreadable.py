"""Why a connection that is defined cannot be read: where it is and what is wrong with it, never what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

_TEXTS = ("conn_type", "description", "host", "login", "password", "schema")
_VALID = (
    "valid: a URI such as redshift://user:password@host:5439/database, its parts percent-encoded, or a JSON object "
    "with conn_type, host, port (a number), schema, login, password and extra (a JSON object)"
)
Fields = Mapping[str, Any]


class _Fault(NamedTuple):
    what: str
    is_in: Callable[[Fields], object]


def _is_no_text(name: str, fields: Fields) -> bool:
    return not isinstance(fields.get(name) or "", str)


# The first fault that is in a connection's fields counts.
_FAULTS = (
    _Fault("its conn_type is missing", lambda fields: not fields.get("conn_type")),
    _Fault("its port is not a number from 1 to 65535", lambda fields: not _is_port(fields.get("port"))),
    _Fault("its extra is not a JSON object", lambda fields: not _is_object(fields.get("extra"))),
    *(_Fault(f"its {name} is not text: put it in quotes", partial(_is_no_text, name)) for name in _TEXTS),
    _Fault("it has a key that no connection has", lambda fields: set(fields) - {*_TEXTS, "conn_id", "port", "extra"}),
)


def fault_of(connection: Any) -> str:
    """Say what is wrong with a connection that Airflow has read; '' where nothing is."""
    fields = {name: getattr(connection, name) for name in ("conn_type", "port", "extra")}
    return _fault_in(fields)


def describe_fault(conn_id: str, fault: str = "") -> str:
    """Say where ``conn_id`` is defined, what is wrong there and what is valid.

    Finds the ``fault`` where it is not given; returns '' where then no secrets backend holds a malformed connection.
    """
    place, text = _find(conn_id, malformed=not fault)
    if not (place or fault):
        return ""
    where = f" in {place}" if place else ""
    return f"Connection {conn_id!r} is defined{where}, but cannot be read: {fault or _fault_of_text(text)}; {_VALID}"


def _find(conn_id: str, *, malformed: bool) -> tuple[str, str]:
    """Return where Airflow finds the connection, or a ``malformed`` one, and its text there; else empty texts."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded  # slow; needed for an error alone

    for backend in ensure_secrets_backend_loaded():
        name = type(backend).__name__
        variable = f"the environment variable AIRFLOW_CONN_{conn_id.upper()}"
        place = variable if name == "EnvironmentVariablesBackend" else f"the secrets backend {name}"
        try:
            text = backend.get_conn_value(conn_id)
        except json.JSONDecodeError:  # Secrets Manager's reads JSON itself
            return place, "{"
        except Exception:
            continue  # cannot be reached, or gives connections only; Airflow's log says more
        if text and not (malformed and _is_readable(backend, conn_id, text)):
            return place, text
    return "", ""


def _is_readable(backend: Any, conn_id: str, text: str) -> bool:
    """Whether Airflow reads it now: a backend that could not be reached a moment ago may hold a valid connection."""
    try:
        backend.deserialize_connection(conn_id, text).get_uri()
    except Exception:
        return False
    return True


def _fault_of_text(text: str) -> str:
    if not text.strip().startswith("{"):
        return (
            "it is not a URI that Airflow can read: check that its port is a number, that characters such as / # ? @ "
            "of the password are percent-encoded, and that its extra is a JSON object"
        )
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        return "it is not valid JSON"
    return _fault_in(fields) or "Airflow refuses it"


def _fault_in(fields: Fields) -> str:
    return next((fault.what for fault in _FAULTS if fault.is_in(fields)), "")


def _is_port(value: object) -> bool:
    try:
        return not value or 0 < int(str(value)) < 65536
    except ValueError:
        return False


def _is_object(value: object) -> bool:
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return False
    return not value or isinstance(value, dict)
