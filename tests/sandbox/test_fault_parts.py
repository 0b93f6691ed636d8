"""The parts that inject faults do what they say."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from sandbox.aws import CREDENTIALS, Cloud, running_cloud
from sandbox.aws_faults import AwsFaults, running_aws_faults
from sandbox.process import service
from sandbox.proxy import running_proxy
from sandbox.warehouse import running_warehouse
from tests.conftest import ROOT

ONCE = Config(read_timeout=2, retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        yield running


@pytest.fixture
def aws(cloud: Cloud) -> Iterator[AwsFaults]:
    with running_aws_faults(int(cloud.endpoint.rsplit(":", 1)[1])) as running:
        yield running


def publish(aws: AwsFaults, cloud: Cloud) -> None:
    sns = boto3.client("sns", endpoint_url=f"http://127.0.0.1:{aws.port}", config=ONCE, **CREDENTIALS)
    sns.publish(TopicArn=cloud.topic_arn, Subject="hello", Message="hello")


def test_a_topic_without_a_fault_gets_its_message(aws: AwsFaults, cloud: Cloud) -> None:
    aws.faults["another"] = "refuse"
    publish(aws, cloud)
    assert len(cloud.take_mail()) == 1


@pytest.mark.parametrize(
    ("fault", "error", "arrived"),
    [("refuse", ConnectionClosedError, 0), ("hang", ReadTimeoutError, 0), ("swallow", ReadTimeoutError, 1)],
)
def test_a_topic_that_gives_no_answer(
    aws: AwsFaults, cloud: Cloud, fault: Any, error: type[Exception], arrived: int
) -> None:
    aws.faults["redshift-auth-alerts"] = fault
    with pytest.raises(error):
        publish(aws, cloud)
    assert len(cloud.take_mail()) == arrived


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("Throttling", 400), ("AuthorizationError", 403)])
def test_an_error_is_in_the_form_of_sns(aws: AwsFaults, cloud: Cloud, code: Any, status: int) -> None:
    aws.faults["redshift-auth-alerts"] = code
    with pytest.raises(ClientError) as raised:
        publish(aws, cloud)
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert cloud.take_mail() == []


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says ten bytes to each who comes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"0123456789")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize(("behaviour", "ends"), [("cut", True), ("silence", False)])
def test_a_proxy_passes_on_a_part_of_the_answers_and_no_more(echo: int, behaviour: Any, ends: Any) -> None:
    with running_proxy(echo) as proxy:
        proxy.behaviour, proxy.limit, proxy.last_words = behaviour, 4, b"23"
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=1) as client:
            assert client.recv(10) == b"0123"
            with contextlib.nullcontext() if ends else pytest.raises(TimeoutError):
                assert client.recv(10) == b""
    assert proxy.answered == 4


def test_a_server_that_is_busy_learns_that_its_client_was_killed(caplog: pytest.LogCaptureFixture) -> None:
    reset = struct.pack("ii", 1, 0)  # closed as the system closes what a killed process had open
    with socket.create_server(("127.0.0.1", 0)) as listener, running_proxy(listener.getsockname()[1]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(b"question")
            server, _ = listener.accept()
            assert server.recv(8) == b"question"
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        with server:
            server.settimeout(5)
            assert server.recv(8) == b""
            gc.collect()
    assert not caplog.records


def test_a_warehouse_that_was_stopped_goes_on_with_the_same_log_and_port() -> None:
    with running_warehouse() as warehouse:
        assert not warehouse.login("127.0.0.5", "admin", "guess")
        with warehouse.stopped(), pytest.raises(psycopg.OperationalError):
            warehouse.admin()
        assert not warehouse.login("127.0.0.5", "admin", "guess")
        with warehouse.admin() as admin:
            counted = admin.execute("SELECT COUNT(*) FROM stl_connection_log WHERE event = 'authentication failure'")
            assert counted.fetchone() == (2,)


def test_a_service_that_is_killed_is_started_again_until_the_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    log = tmp_path / "service.log"

    def wait_for_starts(number: int) -> None:
        while log.read_text().count("up") < number:
            time.sleep(0.05)

    log.touch()
    with service(command, log, {}) as running:
        wait_for_starts(1)
        running.kill()
        wait_for_starts(2)
    assert log.read_text().count("up") == 2


@pytest.mark.parametrize("file", sorted((ROOT / "tests" / "faults").glob("test_*.py")), ids=lambda file: file.stem)
def test_make_runs_each_file_of_fault_tests(file: Path) -> None:
    assert f"{file.name.removeprefix('test_')} " in (ROOT / "Makefile").read_text().replace(")", " ")
