"""The four ways to sign in, through Airflow's connections and hooks, on the local Redshift and the local AWS."""

from __future__ import annotations

import http.server
import json
import socketserver
import struct
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
import requests

from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.tasks.operators import RedshiftSQLOperator
from redshift_auth_alert.tasks.sign_in import SignInError, choose_hook
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.aws import CREDENTIALS, REGION, Cloud, running_cloud
from sandbox.warehouse import Warehouse, free_port
from tests.conftest import TOPIC

WHO = "SELECT CURRENT_USER AS name"
PARAMETERS = {"user_parameter": "/redshift/user", "password_parameter": "/redshift/password"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        running.client("ssm").put_parameter(Name="/redshift/user", Value="auth_monitor", Type="String")
        running.client("ssm").put_parameter(Name="/redshift/password", Value="auth_monitor\n", Type="SecureString")
        running.client("redshift").create_cluster(
            ClusterIdentifier="warehouse", NodeType="ra3.large", MasterUsername="root", MasterUserPassword="Passw0rd"
        )
        yield running


@pytest.fixture
def airflow(cloud: Cloud, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define ``aws_default``, and ``redshift_default`` without user or password, with some fields changed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    aws = {"conn_type": "aws", "extra": {"region_name": REGION, "endpoint_url": cloud.endpoint}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))

    def define(*, services: dict[str, Any] | None = None, extra: dict[str, Any] | None = None, **fields: Any) -> None:
        aws["extra"] |= {"service_config": services or {}}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
        redshift = connection(warehouse) | fields
        redshift["extra"] |= extra or {}
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(redshift))

    return define


def connection(warehouse: Warehouse) -> dict[str, Any]:
    return {
        "conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "schema": "dev", "extra": {"ssl": False},
    }  # fmt: skip


def execute(sql: str = WHO, **sign_in: str) -> Any:
    settings = Settings(environment="test", sns_topic_arn=TOPIC, **sign_in)
    operator = RedshiftSQLOperator(task_id="query", conn_id="redshift_default", sql=sql, sign_in=settings.sign_in)
    return operator.execute({})["rows"]


def create_user(warehouse: Warehouse, name: str, password: str) -> None:
    with warehouse.admin() as admin:
        admin.execute(f'DROP ROLE IF EXISTS "{name}"; CREATE ROLE "{name}" LOGIN PASSWORD \'{password}\'')


@pytest.fixture
def serverless() -> Iterator[str]:
    """Redshift Serverless' GetCredentials, which the local AWS lacks, for the one workgroup ``alerts``."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.headers["X-Amz-Target"] == "RedshiftServerless.GetCredentials" and (
                asked["workgroupName"] == "alerts"
            )
            found = {"dbUser": "IAMR:mwaa", "dbPassword": f"token for {asked['dbName']}"}
            answer = json.dumps(found if known else {"__type": "ResourceNotFoundException"}).encode()
            self.send_response(200 if known else 400)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_connection_in_ssm_parameter_store_signs_in(
    airflow: Any, cloud: Cloud, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow()
    monkeypatch.delenv("AIRFLOW_CONN_REDSHIFT_DEFAULT")
    whole = connection(warehouse) | {"login": "auth_monitor", "password": "auth_monitor"}
    cloud.client("ssm").put_parameter(
        Name="/airflow/connections/redshift_default", Value=json.dumps(whole), Type="SecureString"
    )
    backend = "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    monkeypatch.setenv(
        "AIRFLOW__SECRETS__BACKEND_KWARGS",
        '{"connections_prefix": "/airflow/connections", "variables_prefix": "/airflow/variables"}',
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", cloud.endpoint)
    assert execute() == [["auth_monitor"]]


def test_user_and_password_of_separate_parameters_sign_in(airflow: Any) -> None:
    airflow()
    assert execute(**PARAMETERS) == [["auth_monitor"]]


def test_a_name_that_the_log_cut_within_a_character_is_read(airflow: Any, warehouse: Warehouse) -> None:
    with warehouse.admin() as admin:
        admin.execute("CREATE DATABASE cut")
    with warehouse.admin("cut") as admin:
        admin.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")  # text that the server itself would refuse
    airflow(login="auth_monitor", password="auth_monitor", schema="cut")
    assert execute(r"SELECT CAST('\x62c3b66dc3'::bytea AS text) AS name") == [["böm\\xc3"]]


def test_a_connection_may_name_its_own_connection_to_aws(
    airflow: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"conn_type": "aws", "extra": {"region_name": REGION, "endpoint_url": cloud.endpoint}}
    airflow(services={"ssm": {"endpoint_url": "http://127.0.0.1:1"}}, extra={"aws_conn_id": "other_aws"})
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_AWS", json.dumps(other))
    assert execute(**PARAMETERS) == [["auth_monitor"]]


def test_parameters_are_refused_for_a_connection_that_does_not_take_them(airflow: Any) -> None:
    airflow(conn_type="postgres")
    with pytest.raises(AirflowFailException, match=r"is of type 'postgres'; user_parameter and password_parameter are"):
        execute(**PARAMETERS)


def test_iam_signs_in_to_a_provisioned_cluster_with_the_token_and_no_password(
    airflow: Any, cloud: Cloud, warehouse: Warehouse
) -> None:
    airflow(login="auth_monitor", extra={"iam": True, "cluster_identifier": "warehouse"})
    seed = f"{cloud.endpoint}/moto-api/seed?a=7"  # makes the next token known
    requests.post(seed, timeout=10)
    token = cloud.client("redshift").get_cluster_credentials(ClusterIdentifier="warehouse", DbUser="auth_monitor")
    create_user(warehouse, token["DbUser"], token["DbPassword"])
    requests.post(seed, timeout=10)
    assert execute() == [["IAM:auth_monitor"]]


def test_iam_signs_in_to_a_serverless_workgroup(airflow: Any, warehouse: Warehouse, serverless: str) -> None:
    create_user(warehouse, "IAMR:mwaa", "token for dev")
    airflow(
        services={"redshift-serverless": {"endpoint_url": serverless}},
        extra={"iam": True, "is_serverless": True, "serverless_work_group": "alerts"},
    )
    assert execute() == [["IAMR:mwaa"]]


def test_a_workgroup_that_is_not_there_fails_for_good(airflow: Any, serverless: str) -> None:
    airflow(
        services={"redshift-serverless": {"endpoint_url": serverless}},
        extra={"iam": True, "is_serverless": True, "serverless_work_group": "nothing"},
    )
    with pytest.raises(AirflowFailException, match=r"there is no such workgroup .*redshift-serverless:GetCredentials"):
        execute()


def test_a_cluster_that_is_not_there_fails_for_good(airflow: Any) -> None:
    airflow(login="auth_monitor", extra={"iam": True, "cluster_identifier": "nothing"})
    with pytest.raises(AirflowFailException, match=r"as auth_monitor in dev: there is no such cluster .*GetCluster"):
        execute()


def test_a_parameter_that_is_not_there_fails_for_good_and_is_named(airflow: Any) -> None:
    airflow()
    with pytest.raises(AirflowFailException, match=r"password_parameter '/redshift/pass' cannot be read: there is no"):
        execute(**PARAMETERS | {"password_parameter": "/redshift/pass"})


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"iam": True, "is_serverless": True}, "the connection is not complete .*serverless_work_group"),
        ({"iam": True}, r"the connection is not complete [^$]*DbUser"),
        ({"iam": True, "db_groups": ["readers"]}, "db_groups is not taken; remove it"),
    ],
    ids=["no workgroup", "no user", "groups"],
)
def test_a_connection_that_cannot_sign_in_by_iam_fails_for_good(airflow: Any, extra: dict[str, Any], says: str) -> None:
    airflow(extra=extra)
    with pytest.raises(AirflowFailException, match=says):
        execute()


def test_a_role_that_may_not_read_the_parameter_fails_for_good(airflow: Any) -> None:
    def deny(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(400)
        answer = b'{"__type": "AccessDeniedException"}'
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    denying = type("Deny", (http.server.BaseHTTPRequestHandler,), {"do_POST": deny, "log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), denying)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    airflow(services={"ssm": {"endpoint_url": f"http://127.0.0.1:{server.server_port}"}})
    with pytest.raises(AirflowFailException, match=r"access is denied: the role needs ssm:GetParameter"):
        execute(**PARAMETERS)
    server.shutdown()
    server.server_close()


def test_the_monitors_connection_to_aws_reads_the_parameters(
    airflow: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow(services={"ssm": {"endpoint_url": "http://127.0.0.1:1"}})
    other = {"conn_type": "aws", "extra": {"region_name": REGION, "endpoint_url": cloud.endpoint}}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_AWS", json.dumps(other))
    assert execute(**PARAMETERS, aws_conn_id="other_aws") == [["auth_monitor"]]


def test_a_sign_in_that_redshift_refuses_in_its_own_way_is_sent_once(airflow: Any) -> None:
    logins = []

    class Refuse(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.read(struct.unpack("!I", self.rfile.read(4))[0] - 4)
            logins.append(self.client_address)
            fields = b"SFATAL\0C28000\0Mpassword authentication failed\0\0"
            self.wfile.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)

    with socketserver.TCPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        airflow(port=server.server_address[1], login="auth_monitor", password="old")
        with pytest.raises(AirflowFailException, match="the warehouse refused the sign-in"):
            execute()
        server.shutdown()
    assert len(logins) == 1


@pytest.mark.parametrize(("conn_type", "port"), [("redshift", 5439), ("postgres", 5432)])
def test_a_connection_that_leaves_the_port_out_is_counted_with_those_that_name_it(
    airflow: Any, conn_type: str, port: int
) -> None:
    def guard(user: str, warehouse: str) -> NoReturn:
        raise LookupError(user, warehouse)

    airflow(conn_type=conn_type, port=None, login="auth_monitor")
    with pytest.raises(LookupError) as counted:
        choose_hook("redshift_default", [], guard=guard).get_conn()
    assert counted.value.args == ("auth_monitor", f"127.0.0.1:{port}")


def test_an_aws_that_cannot_be_reached_is_tried_again(airflow: Any) -> None:
    nowhere = {"endpoint_url": f"http://127.0.0.1:{free_port()}"}
    airflow(services={"ssm": nowhere | {"botocore_config": {"retries": {"total_max_attempts": 1}}}})
    with pytest.raises(SignInError, match="user_parameter '/redshift/user' cannot be read: AWS could not be reached"):
        execute(**PARAMETERS)


def test_no_error_shows_the_password(airflow: Any, cloud: Cloud, warehouse: Warehouse) -> None:
    create_user(warehouse, "reader", "only-in-ssm")
    for name, value in {"/reader/user": "reader", "/reader/password": "only-in-ssm"}.items():
        cloud.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    airflow()
    with pytest.raises(AirflowFailException, match="the user may not read the log") as caught:
        execute("SELECT * FROM pg_authid", user_parameter="/reader/user", password_parameter="/reader/password")
    assert "only-in-ssm" not in "".join(traceback.format_exception(caught.value))
