"""What deploy/template.yaml allows, and to which role.

tests/deploy/rights.yaml holds the policies as a stack has them. After a change of the template that is meant, write it
anew and review what changed in it:

    RENEW_RIGHTS=1 python -m pytest tests/deploy/test_rights.py; git diff tests/deploy/rights.yaml
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.aws import ACCOUNT, REGION, Cloud
from tests.deploy.policies import is_allowed
from tests.deploy.stack import HERE, OPTIONS, ROLE, Stack, create, delete

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
REVIEWED = Path(__file__).with_name("rights.yaml")

SSM = f"arn:aws:ssm:{HERE}:parameter"
GLUE = f"arn:aws:glue:{HERE}"
REDSHIFT = f"arn:aws:redshift:{HERE}"
ATHENA = f"arn:aws:athena:{HERE}:workgroup"
LOG = f"audit/AWSLogs/{ACCOUNT}"
TABLE_BUCKET = f"arn:aws:s3tables:{HERE}:bucket/aws-redshift"
ACL = f"arn:aws:ec2:{HERE}:network-acl"
KEY_OF_PARAMETERS = f"arn:aws:kms:{HERE}:key/parameters"
VIA_SNS = {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}
VIA_SSM = {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}
TLS = {"aws:SecureTransport": "true"}
ALARM = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:cloudwatch:{HERE}:alarm:full-not-evaluated-sales"}
CLOUDWATCH = "Service:cloudwatch.amazonaws.com"
ROOT_OF_ACCOUNT = f"AWS:arn:aws:iam::{ACCOUNT}:root"


def differences(stacks: dict[str, dict[str, Any]]) -> list[str]:
    """Lines that differ from what was reviewed; none after RENEW_RIGHTS has written them anew."""
    now = yaml.safe_dump(json.loads(json.dumps(stacks)), sort_keys=False, width=140)
    if os.environ.get("RENEW_RIGHTS"):
        REVIEWED.write_text(now)
    return list(
        difflib.unified_diff(REVIEWED.read_text().splitlines(), now.splitlines(), "reviewed", "now", lineterm="")
    )


def test_the_policies_are_those_that_were_reviewed(bare: Stack, full: Stack) -> None:
    differing = differences({"bare": bare.policies, "full": full.policies})
    assert not differing, "\n".join([*differing, __doc__ or ""])


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("sns:Publish", "<topic>", {}),
        ("kms:GenerateDataKey", "<key>", VIA_SNS),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "RedshiftAuthAlert"}),
        ("ssm:GetParameter", f"{SSM}/airflow/connections/redshift_default", {}),
        ("ssm:GetParameter", f"{SSM}/redshift_user", {}),
        ("ssm:GetParameter", f"{SSM}/redshift/password", {}),
        ("kms:Decrypt", KEY_OF_PARAMETERS, VIA_SSM),
        ("redshift:GetClusterCredentials", f"{REDSHIFT}:dbuser:warehouse/auth_monitor", {}),
        ("s3:GetObject", f"arn:aws:s3:::logs/{LOG}/redshift/{REGION}/2026/03/01/log.gz", {}),
        ("s3:PutObject", "arn:aws:s3:::athena/results/1.csv", {}),
        ("s3tables:GetTableData", f"{TABLE_BUCKET}/table/1", {"s3tables:tableName": "sys_connection_log"}),
        ("glue:GetTable", f"{GLUE}:table/s3tablescatalog/aws-redshift/{ACCOUNT}_sys/sys_connection_log", {}),
        ("lakeformation:GetDataAccess", "*", {"aws:ResourceAccount": ACCOUNT}),
        ("sts:AssumeRole", "<responder>", {}),
        ("ssm:GetParameter", f"{SSM}/airflow/connections/redshift_responder", {}),
        ("ssm:GetParameter", f"{SSM}/airflow/variables/redshift_responder_acl", {}),
    ],
)
def test_the_role_may(full: Stack, action: str, resource: str, context: dict[str, str]) -> None:
    assert is_allowed(full.policies["role"], action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("sns:Publish", f"arn:aws:sns:{HERE}:other", {}),
        ("sns:Subscribe", "<topic>", {}),
        ("sns:DeleteTopic", "<topic>", {}),
        ("kms:Decrypt", "<key>", {}),
        ("kms:PutKeyPolicy", "<key>", VIA_SNS),
        ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/other", VIA_SNS),
        ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/other", VIA_SSM),
        ("kms:Decrypt", KEY_OF_PARAMETERS, {}),
        ("cloudwatch:PutMetricData", "*", {}),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/Redshift"}),
        ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:full-not-evaluated-default", {}),
        ("ssm:GetParameter", f"{SSM}/airflow/connections/other", {}),
        ("ssm:GetParameter", f"{SSM}/airflow/variables/other", {}),
        ("ssm:GetParameter", f"{SSM}/redshift_userx", {}),
        ("ssm:GetParameter", f"{SSM}/redshift/other", {}),
        ("ssm:GetParametersByPath", f"{SSM}/airflow/connections/redshift_default", {}),
        ("ssm:PutParameter", f"{SSM}/airflow/connections/redshift_default", {}),
        ("redshift:GetClusterCredentials", f"{REDSHIFT}:dbuser:warehouse/admin", {}),
        ("redshift:GetClusterCredentials", f"{REDSHIFT}:dbuser:other/auth_monitor", {}),
        ("redshift:GetClusterCredentials", f"{REDSHIFT}:dbname:warehouse/prod", {}),
        ("redshift:CreateClusterUser", f"{REDSHIFT}:dbuser:warehouse/auth_monitor", {}),
        ("redshift:JoinGroup", f"{REDSHIFT}:dbgroup:warehouse/admins", {}),
        ("redshift-serverless:GetCredentials", f"arn:aws:redshift-serverless:{HERE}:workgroup/0a1c", {}),
        ("athena:StartQueryExecution", f"{ATHENA}/primary", {}),
        ("glue:GetTable", f"{GLUE}:table/audit/other", {}),
        ("glue:GetDatabase", f"{GLUE}:database/other", {}),
        ("glue:DeleteTable", f"{GLUE}:table/audit/redshift_audit_log", {}),
        ("s3:GetObject", f"arn:aws:s3:::other/{LOG}/redshift/x", {}),
        ("s3:GetObject", "arn:aws:s3:::logs/audit/AWSLogs/210987654321/redshift/x", {}),
        ("s3:GetObject", f"arn:aws:s3:::logs/{LOG}/elasticloadbalancing/x", {}),
        ("s3:PutObject", f"arn:aws:s3:::logs/{LOG}/redshift/x", {}),
        ("s3:ListBucket", "arn:aws:s3:::logs", {"s3:prefix": f"{LOG}/"}),
        ("s3:PutObject", "arn:aws:s3:::athena/other/1.csv", {}),
        ("s3:DeleteObject", "arn:aws:s3:::athena/results/1.csv", {}),
        ("s3tables:GetTableData", f"{TABLE_BUCKET}/table/2", {"s3tables:tableName": "sys_query_history"}),
        ("s3tables:GetTableData", f"{TABLE_BUCKET}/table/2", {}),
        ("s3tables:GetTableData", f"{TABLE_BUCKET}x/table/1", {"s3tables:tableName": "sys_connection_log"}),
        ("s3tables:PutTableData", f"{TABLE_BUCKET}/table/1", {"s3tables:tableName": "sys_connection_log"}),
        ("glue:GetTable", f"{GLUE}:table/s3tablescatalog/aws-redshift/{ACCOUNT}_sys/sys_query_history", {}),
        ("glue:GetDatabase", f"{GLUE}:database/s3tablescatalog/other/{ACCOUNT}_sys", {}),
        ("lakeformation:GetDataAccess", "*", {"aws:ResourceAccount": "210987654321"}),
        ("iam:PassRole", ROLE, {}),
        ("iam:AttachRolePolicy", ROLE, {}),
        ("sts:AssumeRole", ROLE, {}),
        ("ec2:CreateNetworkAclEntry", f"{ACL}/acl-0a1b", {}),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:airflow/connections/x", {}),
    ],
)
def test_the_role_may_not(full: Stack, action: str, resource: str, context: dict[str, str]) -> None:
    assert not is_allowed(full.policies["role"], action, resource, context)


@pytest.mark.parametrize("action", ["ec2:CreateNetworkAclEntry", "ec2:DeleteNetworkAclEntry"])
def test_the_responder_may_change_the_entries_of_its_network_acl(full: Stack, action: str) -> None:
    assert is_allowed(full.policies["responder"], action, f"{ACL}/acl-0a1b")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ec2:CreateNetworkAclEntry", f"{ACL}/acl-0a1c"),
        ("ec2:ReplaceNetworkAclEntry", f"{ACL}/acl-0a1b"),
        ("ec2:DeleteNetworkAcl", f"{ACL}/acl-0a1b"),
        ("ec2:AuthorizeSecurityGroupIngress", f"arn:aws:ec2:{HERE}:security-group/sg-1"),
        ("sns:Publish", "<topic>"),
    ],
)
def test_the_responder_may_not(full: Stack, action: str, resource: str) -> None:
    assert not is_allowed(full.policies["responder"], action, resource)


@pytest.mark.parametrize(("principal", "allowed"), [(f"AWS:{ROLE}", True), (f"AWS:{ROLE}x", False)])
def test_the_execution_role_alone_becomes_the_responder(full: Stack, principal: str, *, allowed: bool) -> None:
    trust = [
        each | {"Statement": [s | {"Resource": "*"} for s in each["Statement"]]} for each in full.policies["trust"]
    ]
    assert is_allowed(trust, "sts:AssumeRole", "<responder>", {}, principal) is allowed


def test_without_a_network_acl_there_is_no_responder(bare: Stack) -> None:
    assert bare.policies["responder"] + bare.policies["trust"] == []
    assert "responder" not in json.dumps(bare.policies["role"])


def test_a_trail_is_not_read_from_the_bucket_unless_asked_for(cloud: Cloud) -> None:
    without = OPTIONS | {"ReadCloudTrail": "false", "CreateVpcEndpoints": "false"}
    given = json.dumps(create(cloud, "untrailed", **without).policies["role"])
    delete(cloud, "untrailed")
    assert "redshift_audit_log" in given
    assert "cloudtrail" not in given.lower()


def rights_with(cloud: Cloud, **options: str) -> str:
    """The text of the role's rights in a stack with these options."""
    given = json.dumps(create(cloud, "some", **options).policies["role"])
    delete(cloud, "some")
    return given


def test_system_tables_are_read_without_an_audit_log(cloud: Cloud) -> None:
    given = rights_with(cloud, ReadSystemTables="true", AthenaResultsBucket="athena")
    assert "s3tables:GetTableData" in given
    assert "athena:StartQueryExecution" in given
    assert "connections/athena_default" in given
    assert "AWSLogs" not in given


def test_an_audit_log_is_read_without_system_tables(cloud: Cloud) -> None:
    given = rights_with(cloud, AuditLogBucket="logs", GlueDatabase="audit", AthenaResultsBucket="athena")
    assert "AWSLogs" in given
    assert "s3tables" not in given
    assert "lakeformation" not in given


@pytest.mark.parametrize(("principal", "context"), [(f"AWS:{ROLE}", {}), (CLOUDWATCH, ALARM)], ids=["role", "alarm"])
def test_role_and_alarm_publish_by_tls_alone(full: Stack, principal: str, context: dict[str, str]) -> None:
    policy = full.policies["topic"]
    assert is_allowed(policy, "sns:Publish", "<topic>", context | TLS, principal)
    assert not is_allowed(policy, "sns:Publish", "<topic>", context | {"aws:SecureTransport": "false"}, principal)


@pytest.mark.parametrize(
    ("principal", "context"),
    [
        pytest.param(f"AWS:{ROLE}x", {}, id="another role"),
        pytest.param(ROOT_OF_ACCOUNT, {}, id="the account"),
        pytest.param("Service:events.amazonaws.com", ALARM, id="another service"),
        pytest.param(CLOUDWATCH, ALARM | {"aws:SourceAccount": "210987654321"}, id="another account's alarm"),
        pytest.param(CLOUDWATCH, ALARM | {"aws:SourceArn": f"arn:aws:cloudwatch:{HERE}:alarm:x"}, id="another alarm"),
    ],
)
def test_nobody_else_publishes(full: Stack, principal: str, context: dict[str, str]) -> None:
    assert not is_allowed(full.policies["topic"], "sns:Publish", "<topic>", context | TLS, principal)


@pytest.mark.parametrize(
    ("action", "principal", "context", "allowed"),
    [
        pytest.param("kms:GenerateDataKey", f"AWS:{ROLE}", VIA_SNS, True, id="the role through SNS"),
        pytest.param("kms:GenerateDataKey", f"AWS:{ROLE}", {}, False, id="the role by itself"),
        pytest.param("kms:Decrypt", CLOUDWATCH, ALARM, True, id="the alarm"),
        pytest.param("kms:Decrypt", CLOUDWATCH, {"aws:SourceAccount": "2"}, False, id="another account's alarm"),
        pytest.param("kms:ScheduleKeyDeletion", ROOT_OF_ACCOUNT, {}, True, id="the account administers it"),
        pytest.param("kms:Decrypt", ROOT_OF_ACCOUNT, VIA_SNS, False, id="the account does not read"),
        pytest.param("kms:CreateGrant", ROOT_OF_ACCOUNT, {}, False, id="the account does not lend it"),
    ],
)
def test_the_key_of_the_topic(
    full: Stack, action: str, principal: str, context: dict[str, str], *, allowed: bool
) -> None:
    assert is_allowed(full.policies["key"], action, "this key", context, principal) is allowed
