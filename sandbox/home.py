"""The home of the local MWAA: its folders as MWAA lays them out, and its settings as environment variables."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.bundle import write_bundle
from sandbox.aws import CREDENTIALS, Cloud
from sandbox.warehouse import DATABASE, Warehouse, free_port


def lay_out(folder: Path, monitors: Mapping[str, str]) -> tuple[Path, Path]:
    """Lay out the bundle as MWAA does: ``dags/`` with ``include/`` inside, ``plugins/`` elsewhere."""
    dags, plugins = folder / "dags", folder / "plugins"
    write_bundle(folder / "bundle")
    shutil.move(folder / "bundle" / "dags", dags)
    with zipfile.ZipFile(folder / "bundle" / "plugins.zip") as packed:
        packed.extractall(plugins)
    shutil.rmtree(dags / "include" / "monitors")
    (dags / "include" / "monitors").mkdir()
    for name, content in monitors.items():
        (dags / "include" / "monitors" / name).write_text(content)
    return dags, plugins


def environment(folder: Path, warehouse: Warehouse, cloud: Cloud, monitors: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of an Airflow in ``folder`` with its connections to both stand-ins."""
    dags, plugins = lay_out(folder, monitors)
    database = f"postgresql+psycopg2://airflow:airflow@127.0.0.1:{warehouse.postgres_port}/airflow"
    redshift = {
        "conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "auth_monitor",
        "password": "auth_monitor", "schema": DATABASE, "extra": {"ssl": False},
    }  # fmt: skip
    aws = {
        "conn_type": "aws",
        "login": CREDENTIALS["aws_access_key_id"],
        "password": CREDENTIALS["aws_secret_access_key"],
        "extra": {"region_name": CREDENTIALS["region_name"], "endpoint_url": cloud.endpoint},
    }
    port = free_port()
    settings = {
        "API__PORT": str(port),
        "API__HOST": "127.0.0.1",
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__PLUGINS_FOLDER": str(plugins),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__FERNET_KEY": "",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    # Without PYTHONPATH, so that the package is found where MWAA puts it or not at all.
    ours = ("AIRFLOW", "AWS_", "PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return (
        inherited
        | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW_CONN_REDSHIFT_DEFAULT": json.dumps(redshift),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
            "AIRFLOW_VAR_REDSHIFT_AUTH_ALERT_TOPIC_ARN": cloud.topic_arn,
            "NO_PROXY": "127.0.0.1,localhost",
        }
    )
