"""Where a message comes from: the warehouse's name, and the run's page in Airflow.

Both read Airflow's configuration, so call them in a task.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from dataclasses import replace
from urllib.parse import quote

from airflow.configuration import conf

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.settings.model import RunSettings
from redshift_auth_alert.settings.sources import DELIVERED, FLEET_SOURCE
from redshift_auth_alert.settings.values import WAREHOUSE
from redshift_auth_alert.tasks.versions import BaseHook

log = logging.getLogger(__name__)

_ADDRESS = re.compile("https?://[!-~]+")
_DEFAULT = "http://localhost:8080"  # Airflow's own, which leads nowhere in a mail


def with_origin(run: Evaluation) -> Evaluation:
    """Return the evaluation with both."""
    return replace(run, warehouse=warehouse_name(run.settings), run_url=run_url(run.monitor, run.run_id))


def warehouse_name(settings: RunSettings) -> str | None:
    """Return the warehouse's name: the setting, else what the source names.

    For logs in S3 that is the cluster, or the fleet; for others the cluster or workgroup that the connection names, or
    the first label of its host name. None where it is not known: a name keeps no message back.
    """
    if settings.warehouse or settings.source in DELIVERED:
        return settings.warehouse or settings.cluster or _fleet(settings)
    try:
        connection = BaseHook.get_connection(settings.conn_id)
        extra = connection.extra_dejson
        name = extra.get("cluster_identifier") or extra.get("serverless_work_group") or _first_label(connection.host)
    except Exception as error:  # the error may hold what the connection holds
        log.warning(
            "The message does not name the warehouse: connection %r: %s", settings.conn_id, type(error).__name__
        )
        return None
    return name if isinstance(name, str) and re.fullmatch(WAREHOUSE, name) else None


def _fleet(settings: RunSettings) -> str | None:
    """Return the short name of a namespace that may hold many warehouses: fleet-123456789012 of 123456789012_sys."""
    if settings.source != FLEET_SOURCE or settings.namespace is None:
        return None
    return f"fleet-{settings.namespace.removesuffix('_sys')}"[:64]


def run_url(dag_id: str, run_id: str) -> str | None:
    """Return the address of the run's page; None where Airflow's ``[api] base_url`` is not set."""
    base = str(conf.get("api", "base_url", fallback=None) or "").rstrip("/")
    if base == _DEFAULT or not _ADDRESS.fullmatch(base):
        return None
    run = quote(run_id, safe="").replace("~", "%7E")  # ~ is markup in chats
    return f"{base}/dags/{quote(dag_id, safe='')}/runs/{run}"


def _first_label(host: str | None) -> str:
    if not host:
        return ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.split(".", maxsplit=1)[0]
    return ""
