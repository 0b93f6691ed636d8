"""deploy/template.yaml: the file itself, and what a stack of it makes and leaves."""

from __future__ import annotations

import json
import re

import pytest
from cfnlint.api import lint
from moto.cloudformation import parsing
from moto.kms.models import kms_backends

from redshift_auth_alert.settings.monitors import load_monitors
from sandbox.aws import REGION, Cloud
from tests.conftest import ROOT
from tests.deploy.stack import ACCOUNT, ALARM_TOPIC, BODY, OPTIONS, ROLE, TEMPLATE, Stack, create, delete, make_network

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
NETWORK = ("MwaaSecurityGroupId", "ClusterSecurityGroupId", "VpcId", "SubnetIds", "RouteTableIds")
EVERY = OPTIONS | dict.fromkeys(NETWORK, "given")
DEFAULTS = {name: str(each.get("Default", "")) for name, each in TEMPLATE["Parameters"].items()}


def test_cfn_lint_finds_nothing() -> None:
    assert [f"{match.rule.id} {match.message}" for match in lint(BODY, regions=["eu-central-1", "us-east-1"])] == []


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_in_other_partitions_only_chat_is_missing(region: str) -> None:
    found = {match.message for match in lint(BODY, regions=[region])}
    assert found == {f"Resource type 'AWS::Chatbot::SlackChannelConfiguration' does not exist in '{region}'"}


@pytest.mark.parametrize("widening", ["*", "?", "${aws:username}"])
def test_no_parameter_takes_what_would_widen_a_policy(widening: str) -> None:
    valid = DEFAULTS | {"ExecutionRoleArn": ROLE} | OPTIONS
    texts = {name: each for name, each in TEMPLATE["Parameters"].items() if each["Type"] == "String"}
    patterns = {
        name: each.get("AllowedPattern", "(?s:.*)") for name, each in texts.items() if "AllowedValues" not in each
    }
    tried = {name: [widening, valid[name] + widening, widening + valid[name]] for name in patterns}
    assert [
        name for name, values in tried.items() if any(re.fullmatch(patterns[name], value) for value in values)
    ] == []


def unmet(**given: str) -> set[str]:
    """What the rules of the template say of these parameters."""
    values = DEFAULTS | given
    return {
        each["AssertDescription"]
        for rule in TEMPLATE["Rules"].values()
        if parsing.parse_condition(rule["RuleCondition"], values, {})
        for each in rule["Assertions"]
        if not parsing.parse_condition(each["Assert"], values, {})
    }


def test_neither_no_option_nor_every_option_breaks_a_rule() -> None:
    assert unmet() | unmet(**EVERY) == set()


def test_an_option_is_refused_without_what_it_needs() -> None:
    assert set().union(*(unmet(**EVERY | {missing: DEFAULTS[missing]}) for missing in EVERY)) == {
        "SlackChannelId needs SlackWorkspaceId.", "SlackWorkspaceId needs SlackChannelId.",
        "UserParameter needs PasswordParameter.", "PasswordParameter needs UserParameter.",
        "AuditLogBucket needs GlueDatabase.", "AuditLogBucket needs AthenaResultsBucket.",
        "ReadCloudTrail needs AuditLogBucket.", "ClusterSecurityGroupId needs MwaaSecurityGroupId.",
        "CreateVpcEndpoints needs VpcId.", "CreateVpcEndpoints needs SubnetIds.",
        "CreateVpcEndpoints needs MwaaSecurityGroupId.", "CreateMonitoringAndS3Endpoints needs CreateVpcEndpoints.",
        "CreateMonitoringAndS3Endpoints needs RouteTableIds.",
    }  # fmt: skip


def inventory(cloud: Cloud) -> dict[str, set[str]]:
    """What there is of the kinds that moto deletes with their stack; of keys those that are enabled."""
    keys = kms_backends[ACCOUNT][REGION].keys.values()
    boards = cloud.client("cloudwatch").list_dashboards()["DashboardEntries"]
    return {
        "topics": {each["TopicArn"] for each in cloud.client("sns").list_topics()["Topics"]},
        "keys": {each.id for each in keys if each.key_state == "Enabled"},
        "roles": {each["Arn"] for each in cloud.client("iam").list_roles()["Roles"]},
        "dashboards": {each["DashboardName"] for each in boards},
        "groups": {each["GroupId"] for each in cloud.client("ec2").describe_security_groups()["SecurityGroups"]},
    }


@pytest.mark.parametrize("options", [{}, OPTIONS], ids=["no option", "every option"])
def test_nothing_is_left_of_a_deleted_stack(cloud: Cloud, options: dict[str, str]) -> None:
    network = make_network(cloud) if options else {}
    before = inventory(cloud)
    create(cloud, "passing", **options, **network)
    assert inventory(cloud) != before
    delete(cloud, "passing")
    assert inventory(cloud) == before


def test_the_policy_is_attached_to_a_role_without_a_path(cloud: Cloud) -> None:
    arn = cloud.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    create(cloud, "elsewhere", ExecutionRoleArn=arn)
    attached = cloud.client("iam").list_attached_role_policies(RoleName="other")["AttachedPolicies"]
    delete(cloud, "elsewhere")
    cloud.client("iam").delete_role(RoleName="other")
    assert len(attached) == 1


def test_each_policy_fits_into_what_iam_takes(full: Stack) -> None:
    sizes = [len(json.dumps(each, separators=(",", ":"))) for each in full.policies["role"]]
    assert max(sizes) < 6144 * 0.8  # names may be longer than here


def test_the_alarm_goes_off_after_two_intervals_that_no_scheduled_run_evaluated(bare: Stack) -> None:
    alarm = bare.made("AWS::CloudWatch::Alarm")[0]
    watched = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert watched == {"Monitor": load_monitors(ROOT / "include" / "monitors")[0][0].dag_id, "RunType": "scheduled"}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (
        "RedshiftAuthAlert",
        "IntervalsEvaluated",
        "Sum",
    )
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["TreatMissingData"]) == (
        "LessThanThreshold",
        1,
        "breaching",
    )
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["AlarmActions"]) == (1800, 2, [bare.outputs["TopicArn"]])


def test_another_alarm_goes_off_after_one_scheduled_run_that_failed(bare: Stack) -> None:
    alarm = bare.made("AWS::CloudWatch::Alarm")[1]
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]}["RunType"] == "scheduled"
    assert (alarm["Namespace"], alarm["MetricName"]) == ("RedshiftAuthAlert", "IntervalsFailed")
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (
        "GreaterThanOrEqualToThreshold", 1, 1, "notBreaching",
    )  # fmt: skip
    assert alarm["AlarmActions"] == [bare.outputs["TopicArn"]]


def test_the_alarms_may_publish_to_a_topic_of_their_own(full: Stack) -> None:
    assert [alarm["AlarmActions"] for alarm in full.made("AWS::CloudWatch::Alarm")] == [[ALARM_TOPIC]] * 2


def test_the_dashboard_shows_the_alarm_and_each_metric(bare: Stack) -> None:
    body = bare.cloud.client("cloudwatch").get_dashboard(DashboardName="bare")["DashboardBody"]
    assert f"alarm:{bare.outputs['AlarmName']}" in body
    assert re.findall(r'{\\"(\w+)\\",Monitor,RunType} MetricName=\\"(\w+)\\"', body) == [
        ("RedshiftAuthAlert", name) for name in ("Failures", "BreachingGroups", "IntervalsEvaluated")
    ]


@pytest.mark.parametrize("kind", ["SNS::Subscription", "Chatbot::SlackChannelConfiguration", "EC2::VPCEndpoint"])
def test_nobody_is_subscribed_and_no_network_is_made_unless_asked_for(bare: Stack, full: Stack, kind: str) -> None:
    assert (bool(bare.made(f"AWS::{kind}")), bool(full.made(f"AWS::{kind}"))) == (False, True)


def test_nobody_runs_commands_from_the_chat(full: Stack) -> None:
    role, chat = full.made("AWS::IAM::Role")[0], full.made("AWS::Chatbot::SlackChannelConfiguration")[0]
    assert not role.keys() & {"Policies", "ManagedPolicyArns"}
    assert chat["GuardrailPolicies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]


def test_endpoints_are_made_for_what_is_called(full: Stack, network: dict[str, str]) -> None:
    made = full.cloud.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert {each["ServiceName"].rpartition(".")[2] for each in made if each["VpcId"] == network["VpcId"]} == {
        "s3", "sns", "ssm", "athena", "redshift", "redshift-serverless", "monitoring",
    }  # fmt: skip


@pytest.mark.parametrize(("group", "port"), [("full-", 443), ("cluster", 5439)], ids=["endpoints", "cluster"])
def test_only_mwaa_is_let_in(full: Stack, network: dict[str, str], group: str, port: int) -> None:
    groups = full.cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    mine = [each for each in groups if each["VpcId"] == network["VpcId"] and each["GroupName"].startswith(group)]
    (rule,) = mine[0]["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (port, port, [])
    assert [each["GroupId"] for each in rule["UserIdGroupPairs"]] == [network["MwaaSecurityGroupId"]]
