"""What a driver's error is explained as, and whether the task is tried again."""

from __future__ import annotations

import pytest
import redshift_connector
from airflow.exceptions import AirflowException

from redshift_auth_alert.tasks.remedies import explained_errors
from redshift_auth_alert.tasks.versions import AirflowFailException


def explained(sqlstate: str, words: str) -> AirflowException:
    """What is raised for an error of redshift_connector's."""
    with pytest.raises(AirflowException) as raised, explained_errors("redshift_default"):
        raise redshift_connector.ProgrammingError({"C": sqlstate, "M": words})
    return raised.value


@pytest.mark.parametrize("sqlstate", ["XX000", "08006", "40001", "58030", "57P01", "53300"])
def test_an_error_that_may_pass_is_tried_again(sqlstate: str) -> None:
    assert not isinstance(explained(sqlstate, "it failed"), AirflowFailException)


@pytest.mark.parametrize("sqlstate", ["42601", "22012", "0A000", "28P01", "3D000"])
def test_an_error_that_comes_again_fails_at_once(sqlstate: str) -> None:
    assert isinstance(explained(sqlstate, "it failed"), AirflowFailException)


def test_a_name_that_redshift_cannot_process_fails_at_once_though_its_error_is_an_internal_one() -> None:
    error = explained("XX000", "Only ASCII characters are allowed in fixed length strings")
    assert isinstance(error, AirflowFailException)
    assert "the log holds a name that the warehouse cannot process as text" in str(error)
