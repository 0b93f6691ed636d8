"""deploy/template.yaml: the file itself, and what a stack of it makes and leaves."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cfnlint.api import lint
from moto.cloudformation import parsing
from moto.kms.models import kms_backends

from deploy.watch import ALARMS
from redshift_auth_alert.settings.monitors import DAG_ID, LONGEST_ID, load_monitors
from sandbox.aws import ACCOUNT, REGION, Cloud
from tests.conftest import ROOT
from tests.deploy.policies import is_allowed
from tests.deploy.stack import (
    ALARM_TOPIC,
    BODY,
    HERE,
    OPTIONS,
    ROLE,
    TEMPLATE,
    Stack,
    create,
    delete,
    expanded,
    make_network,
)

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
    texts = {name: each for name, each in TEMPLATE["Parameters"].items() if each["Type"] != "Number"}
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
        "ReadCloudTrail needs AuditLogBucket.", "ReadSystemTables needs AthenaResultsBucket.",
        "ClusterSecurityGroupId needs MwaaSecurityGroupId.",
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


def not_evaluated(stack: Stack) -> list[dict[str, Any]]:
    """The alarms for missing evaluations, one for each monitor."""
    return [alarm for alarm in stack.made("AWS::CloudWatch::Alarm") if "MetricName" in alarm]


def watched(alarm: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in alarm["Dimensions"]}


def test_each_monitor_has_an_alarm_on_the_scheduled_runs_of_its_dag(bare: Stack) -> None:
    assert {alarm["AlarmName"]: watched(alarm) for alarm in not_evaluated(bare)} == {
        "bare-not-evaluated-default": {"Monitor": DAG_ID, "RunType": "scheduled"},
        "bare-not-evaluated-fleet__sales": {"Monitor": f"{DAG_ID}__fleet__sales", "RunType": "scheduled"},
        "bare-not-evaluated-lab.eu-1-3600": {"Monitor": f"{DAG_ID}__lab.eu-1", "RunType": "scheduled"},
    }


def test_the_default_monitor_is_the_dag_of_the_default_file() -> None:
    assert [each.dag_id for each in load_monitors(ROOT / "include" / "monitors")[0]] == [DAG_ID]


def test_only_the_name_default_stands_for_the_dag_without_a_name(cloud: Cloud) -> None:
    names = ["default:86400", "fleet__default", "default__sales", f"{DAG_ID}__default"]
    alarms = not_evaluated(create(cloud, "named", Monitors=",".join(names)))
    delete(cloud, "named")
    assert [watched(alarm)["Monitor"] for alarm in alarms] == [
        DAG_ID,
        f"{DAG_ID}__fleet__default",
        f"{DAG_ID}__default__sales",
        f"{DAG_ID}__{DAG_ID}__default",
    ]


def test_the_alarm_goes_off_after_two_lengths_of_the_monitors_schedule(bare: Stack) -> None:
    assert {
        watched(alarm)["Monitor"]: (int(alarm["Period"]), alarm["EvaluationPeriods"]) for alarm in not_evaluated(bare)
    } == {
        DAG_ID: (1800, 2),
        f"{DAG_ID}__fleet__sales": (1800, 2),
        f"{DAG_ID}__lab.eu-1": (3600, 2),
    }


def test_the_alarm_goes_off_where_no_interval_was_evaluated(bare: Stack) -> None:
    alarm = not_evaluated(bare)[1]
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
    assert (alarm["AlarmActions"], alarm["OKActions"]) == ([bare.outputs["TopicArn"]], [bare.outputs["TopicArn"]])


def test_one_alarm_goes_off_after_a_scheduled_run_of_any_monitor_failed_and_names_the_monitor(bare: Stack) -> None:
    (alarm,) = [alarm for alarm in bare.made("AWS::CloudWatch::Alarm") if "MetricName" not in alarm]
    (query,) = alarm["Metrics"]
    assert query["Expression"] == (
        'SELECT SUM(IntervalsFailed) FROM SCHEMA("RedshiftAuthAlert", Monitor, RunType) '
        "WHERE RunType = 'scheduled' GROUP BY Monitor"
    )
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (
        "GreaterThanOrEqualToThreshold", 1, 1, "notBreaching",
    )  # fmt: skip
    assert (alarm["AlarmName"], alarm["AlarmActions"]) == ("bare-failed", [bare.outputs["TopicArn"]])


def test_the_alarms_may_publish_to_a_topic_of_their_own(full: Stack) -> None:
    assert [alarm["AlarmActions"] for alarm in full.made("AWS::CloudWatch::Alarm")] == [[ALARM_TOPIC]] * 4


def test_the_topic_takes_messages_of_each_alarm(bare: Stack) -> None:
    cloudwatch, policy = f"arn:aws:cloudwatch:{HERE}:alarm", bare.policies["topic"]
    context = {"aws:SourceAccount": ACCOUNT, "aws:SecureTransport": "true"}
    names = [alarm["AlarmName"] for alarm in bare.made("AWS::CloudWatch::Alarm")]
    assert [
        name
        for name in names
        if not is_allowed(
            policy,
            "sns:Publish",
            "<topic>",
            context | {"aws:SourceArn": f"{cloudwatch}:{name}"},
            "Service:cloudwatch.amazonaws.com",
        )
    ] == []


def test_as_many_monitors_as_a_deployment_puts_into_a_stack_fit_there() -> None:
    longest = expanded(",".join(f"m{number:03}" for number in range(ALARMS)))
    assert len(longest["Resources"]) <= 500
    assert len(json.dumps(longest)) < 1_000_000


def test_a_change_set_takes_the_template_without_a_bucket() -> None:
    assert len(BODY.encode()) <= 51_200


def test_monitors_that_differ_in_punctuation_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="Duplicate NotEvaluatedab"):
        expanded("a_b,a-b")


@pytest.mark.parametrize("value", ["", "a b", "a:0", "a:", "a:1800:3600", ":1800", "a*"])
def test_what_names_no_monitor_is_refused(value: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"]["Monitors"]["AllowedPattern"], value)


def takes(parameter: str, value: str) -> bool:
    """Whether a parameter of the template takes a value."""
    return re.fullmatch(TEMPLATE["Parameters"][parameter]["AllowedPattern"], value) is not None


def test_the_longest_name_that_a_monitor_may_have_is_taken_and_no_longer_one() -> None:
    longest = LONGEST_ID - len(f"{DAG_ID}__")
    assert (takes("Monitors", "m" * longest), takes("Monitors", "m" * (longest + 1))) == (True, False)


@pytest.mark.parametrize(
    ("namespace", "taken"),
    [
        ("RedshiftAuthAlert", True), ("Security/Redshift_1.2-x", True), ("9", True), ("n" * 255, True),
        ("AWSome/x", True), ("AWS/Redshift", False), ("/x", False), ("n" * 256, False), ("", False),
    ],
)  # fmt: skip
def test_a_namespace_is_taken_unless_it_is_of_aws(namespace: str, taken: bool) -> None:  # noqa: FBT001
    assert takes("MetricNamespace", namespace) is taken


def test_the_monitors_to_watch_must_be_given() -> None:
    assert "Default" not in TEMPLATE["Parameters"]["Monitors"]


def graphs(stack: Stack) -> dict[str, list[dict[str, str]]]:
    """What each graph of the dashboard shows, by its title."""
    body = stack.cloud.client("cloudwatch").get_dashboard(DashboardName=stack.name)["DashboardBody"]
    shown = [widget["properties"] for widget in json.loads(body)["widgets"]]
    return {each["title"]: [metric for (metric,) in each["metrics"]] for each in shown}


def scheduled(metric: str, statistic: str) -> str:
    space = '"RedshiftAuthAlert",Monitor,RunType'
    return f"""SEARCH('{{{space}}} RunType="scheduled" MetricName="{metric}"', '{statistic}')"""


@pytest.mark.parametrize(
    ("title", "metric", "statistic"),
    [
        ("Intervals evaluated", "IntervalsEvaluated", "Sum"),
        ("Intervals failed", "IntervalsFailed", "Sum"),
        ("Authentication failures", "Failures", "Maximum"),
        ("Groups that breached", "BreachingGroups", "Maximum"),
    ],
)
def test_the_dashboard_has_a_line_for_each_monitor(bare: Stack, title: str, metric: str, statistic: str) -> None:
    assert graphs(bare)[f"{title} by monitor"] == [{"expression": scheduled(metric, statistic), "label": ""}]


def test_the_dashboard_shows_all_monitors_together_in_the_colours_of_what_it_counts(bare: Stack) -> None:
    shown = graphs(bare)["Intervals of all monitors"] + graphs(bare)["Found by all monitors"]
    assert [(each["expression"], each["label"], each["color"]) for each in shown] == [
        (f"SUM({scheduled('IntervalsEvaluated', 'Sum')})", "Intervals evaluated", "#15803d"),
        (f"SUM({scheduled('IntervalsFailed', 'Sum')})", "Intervals failed", "#7c3aed"),
        (f"SUM({scheduled('Failures', 'Maximum')})", "Authentication failures", "#3b82f6"),
        (f"SUM({scheduled('BreachingGroups', 'Maximum')})", "Groups that breached", "#c2410c"),
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
