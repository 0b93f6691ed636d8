from __future__ import annotations

import os
from pathlib import Path

import pytest

SET_ELSEWHERE = ("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA", "CURL_CA")


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which nothing is set for pip or uv."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SET_ELSEWHERE)}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "UV_CACHE_DIR": str(tmp_path / "cache")}
