from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--image-python",
        type=Path,
        required=True,
        help="Python of the environment that holds what MWAA has, which make test-versions builds",
    )


@pytest.fixture(scope="session")
def image_python(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("--image-python"))
