"""Users of the local MWAA. Each one's password is its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import requests


def users_settings(folder: Path, users: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of an Airflow in ``folder`` that only these users may use; names to roles."""
    if not users:
        return {}
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in users}))
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in users.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }


def token(url: str, user: str | None) -> dict[str, str]:
    """Return the header by which ``user`` calls the Airflow at ``url``; none where no user is needed."""
    return {"Authorization": f"Bearer {_sign_in(url, user)}"} if user else {}


@cache
def _sign_in(url: str, user: str) -> str:
    answer = requests.post(f"{url}/auth/token", json={"username": user, "password": user}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["access_token"])
