"""deploy/template.yaml, deployed on moto: what is made, and what the role, the alarm and everybody else may do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.decode import decode_str
from moto.cloudformation import parsing
from moto.cloudformation.models import cloudformation_backends

from redshift_auth_alert.settings.monitors import load_monitors
from sandbox.aws import REGION, Cloud, running_cloud
from tests.conftest import ROOT
from tests.deploy.policies import is_allowed

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
BODY = (ROOT / "deploy" / "template.yaml").read_text()
TEMPLATE: dict[str, Any] = decode_str(BODY)[0]
ACCOUNT = "123456789012"
HERE = f"{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/mwaa"
KEY_OF_PARAMETERS = f"arn:aws:kms:{HERE}:key/parameters"
WORKGROUP = f"arn:aws:redshift-serverless:{HERE}:workgroup/0a1b"
OPTIONS = {
    "AlertEmail": "security@example.com",
    "SlackWorkspaceId": "T012ABC",
    "SlackChannelId": "C012ABC",
    "ExistingTopicArn": f"arn:aws:sns:{HERE}:existing",
    "UserParameter": "/redshift/user",
    "PasswordParameter": "/redshift/password",
    "ParametersKeyArn": KEY_OF_PARAMETERS,
    "ClusterIdentifier": "warehouse",
    "WorkgroupArn": WORKGROUP,
    "AuditLogBucket": "logs",
    "AuditLogPrefix": "audit/",
    "ReadCloudTrail": "true",
    "AthenaWorkgroup": "monitor",
    "GlueDatabase": "audit",
    "AthenaResultsBucket": "athena",
    "CreateVpcEndpoints": "true",
    "CreateMonitoringAndS3Endpoints": "true",
}
NETWORK = {"MwaaSecurityGroupId", "ClusterSecurityGroupId", "VpcId", "SubnetIds", "RouteTableIds"}


@dataclass(frozen=True)
class Stack:
    """A deployed stack."""

    cloud: Cloud
    name: str

    @cached_property
    def outputs(self) -> dict[str, str]:
        described = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    @cached_property
    def role_policies(self) -> list[dict[str, Any]]:
        """The policies attached to the execution role, as IAM has them."""
        iam = self.cloud.client("iam")
        attached = iam.list_attached_role_policies(RoleName="mwaa")["AttachedPolicies"]
        return [
            iam.get_policy_version(PolicyArn=each["PolicyArn"], VersionId="v1")["PolicyVersion"]["Document"]
            for each in attached
            if each["PolicyName"].startswith(f"{self.name}-")
        ]

    def made(self, kind: str) -> list[dict[str, Any]]:
        """The properties of each resource of a type, resolved by moto, also where moto makes none of it."""
        resources = cloudformation_backends[ACCOUNT][REGION].get_stack(self.name).resource_map
        return [
            parsing.clean_json(resource["Properties"], resources)
            for resource in TEMPLATE["Resources"].values()
            if resource["Type"] == kind and resources.lazy_condition_map.get(resource.get("Condition"), True)
        ]

    @cached_property
    def topic_policy(self) -> dict[str, Any]:
        return self.made("AWS::SNS::TopicPolicy")[0]["PolicyDocument"]

    @cached_property
    def key(self) -> str:
        topic = self.cloud.client("sns").get_topic_attributes(TopicArn=self.outputs["TopicArn"])["Attributes"]
        return topic["KmsMasterKeyId"]

    @cached_property
    def key_policy(self) -> dict[str, Any]:
        return self.cloud.client("kms").get_key_policy(KeyId=self.key, PolicyName="default")["Policy"]


def deploy(cloud: Cloud, name: str, **parameters: str) -> Stack:
    given = {"ExecutionRoleArn": ROLE} | parameters
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=BODY,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    return Stack(cloud, name)


def remove(cloud: Cloud, name: str) -> None:
    """Delete a stack, and its managed policies, which moto leaves."""
    iam = cloud.client("iam")
    cloud.client("cloudformation").delete_stack(StackName=name)
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        if policy["PolicyName"].startswith(f"{name}-"):
            for role in iam.list_entities_for_policy(PolicyArn=policy["Arn"])["PolicyRoles"]:
                iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=policy["Arn"])
            iam.delete_policy(PolicyArn=policy["Arn"])


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """The stand-in with an execution role, and AWS::NoValue taken out of lists, where moto leaves it."""
    clean_json = parsing.clean_json

    def without_no_value(value: Any, resources: Any) -> Any:
        cleaned = clean_json(value, resources)
        return [each for each in cleaned if each is not None] if isinstance(cleaned, list) else cleaned

    with pytest.MonkeyPatch.context() as patch, running_cloud() as running:
        patch.setattr(parsing, "clean_json", without_no_value)
        iam = running.client("iam")
        iam.create_role(RoleName="mwaa", Path="/service-role/", AssumeRolePolicyDocument="{}")
        yield running
        for name in ("bare", "full"):
            remove(running, name)
        iam.delete_role(RoleName="mwaa")


def make_network(cloud: Cloud) -> dict[str, str]:
    """Make a VPC with MWAA's and the cluster's security groups."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (1, 2)]
    groups = [
        ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
        for name in ("mwaa", "cluster")
    ]
    return {
        "VpcId": vpc,
        "SubnetIds": ",".join(subnets),
        "RouteTableIds": ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"],
        "MwaaSecurityGroupId": groups[0],
        "ClusterSecurityGroupId": groups[1],
    }


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> dict[str, str]:
    return make_network(cloud)


@pytest.fixture(scope="module")
def bare(cloud: Cloud) -> Stack:
    """The stack with no option on."""
    return deploy(cloud, "bare")


@pytest.fixture(scope="module")
def full(cloud: Cloud, network: dict[str, str]) -> Stack:
    """The stack with every option on."""
    return deploy(cloud, "full", **OPTIONS, **network)


def inventory(cloud: Cloud) -> dict[str, set[str]]:
    """What there is of the kinds that moto deletes with their stack."""
    return {
        "topics": {each["TopicArn"] for each in cloud.client("sns").list_topics()["Topics"]},
        "keys": {each["KeyId"] for each in cloud.client("kms").list_keys()["Keys"]},
        "roles": {each["Arn"] for each in cloud.client("iam").list_roles()["Roles"]},
        "dashboards": {
            each["DashboardName"] for each in cloud.client("cloudwatch").list_dashboards()["DashboardEntries"]
        },
        "groups": {each["GroupId"] for each in cloud.client("ec2").describe_security_groups()["SecurityGroups"]},
    }


# the file


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
def test_cfn_lint_finds_nothing(region: str) -> None:
    assert [f"{match.rule.id} {match.message}" for match in lint(BODY, regions=[region])] == []


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_in_other_partitions_only_chat_is_missing(region: str) -> None:
    found = {match.message for match in lint(BODY, regions=[region])}
    assert found == {f"Resource type 'AWS::Chatbot::SlackChannelConfiguration' does not exist in '{region}'"}


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_every_parameter_says_what_it_is_for(name: str) -> None:
    assert len(TEMPLATE["Parameters"][name]["Description"]) > 10


def test_every_parameter_is_in_one_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(TEMPLATE["Parameters"])


@pytest.mark.parametrize("name", [name for name, each in TEMPLATE["Parameters"].items() if "AllowedPattern" in each])
@pytest.mark.parametrize("widening", ["*", "?", "${aws:username}"])
def test_no_parameter_takes_what_would_widen_a_policy(name: str, widening: str) -> None:
    pattern = TEMPLATE["Parameters"][name]["AllowedPattern"]
    valid = (OPTIONS | {"ExecutionRoleArn": ROLE} | dict.fromkeys(NETWORK, "")).get(
        name, TEMPLATE["Parameters"][name].get("Default")
    )
    assert re.fullmatch(pattern, valid)
    assert not re.fullmatch(pattern, widening)
    assert not re.fullmatch(pattern, valid + widening)
    assert not re.fullmatch(pattern, widening + valid)


def test_every_text_parameter_has_a_pattern_or_its_values() -> None:
    texts = {name: each for name, each in TEMPLATE["Parameters"].items() if each["Type"] == "String"}
    assert [name for name, each in texts.items() if not each.keys() & {"AllowedPattern", "AllowedValues"}] == []


def broken_rules(**given: str) -> set[str]:
    values = {name: str(each.get("Default", "")) for name, each in TEMPLATE["Parameters"].items()} | given
    return {
        name
        for name, rule in TEMPLATE["Rules"].items()
        if parsing.parse_condition(rule["RuleCondition"], values, {})
        and not all(parsing.parse_condition(each["Assert"], values, {}) for each in rule["Assertions"])
    }


def test_no_option_and_every_option_break_no_rule() -> None:
    assert broken_rules() == set()
    assert broken_rules(**OPTIONS, **dict.fromkeys(NETWORK, "given")) == set()


@pytest.mark.parametrize(
    ("option", "missing"),
    [
        ("SlackChannelId", "SlackWorkspaceId"),
        ("SlackWorkspaceId", "SlackChannelId"),
        ("UserParameter", "PasswordParameter"),
        ("PasswordParameter", "UserParameter"),
        ("AuditLogBucket", "GlueDatabase"),
        ("AuditLogBucket", "AthenaResultsBucket"),
        ("ReadCloudTrail", "AuditLogBucket"),
        ("CreateVpcEndpoints", "VpcId"),
        ("CreateVpcEndpoints", "SubnetIds"),
        ("CreateVpcEndpoints", "MwaaSecurityGroupId"),
        ("CreateMonitoringAndS3Endpoints", "CreateVpcEndpoints"),
        ("CreateMonitoringAndS3Endpoints", "RouteTableIds"),
        ("ClusterSecurityGroupId", "MwaaSecurityGroupId"),
    ],
)
def test_an_option_is_refused_without_what_it_needs(option: str, missing: str) -> None:
    every = OPTIONS | dict.fromkeys(NETWORK, "given")
    default = str(TEMPLATE["Parameters"][missing].get("Default", ""))
    assert any(
        f"{option} needs {missing}." == each["AssertDescription"]
        for name in broken_rules(**every | {missing: default})
        for each in TEMPLATE["Rules"][name]["Assertions"]
    )


# the stack


@pytest.mark.parametrize("options", [{}, OPTIONS], ids=["no option", "every option"])
def test_nothing_is_left_of_a_deleted_stack(cloud: Cloud, options: dict[str, str]) -> None:
    network = make_network(cloud) if options else {}
    before = inventory(cloud)
    deploy(cloud, "passing", **options, **network)
    assert inventory(cloud) != before
    remove(cloud, "passing")
    after = inventory(cloud)
    pending = {key for key in after["keys"] - before["keys"] if not is_enabled(cloud, key)}
    assert after | {"keys": after["keys"] - pending} == before


def is_enabled(cloud: Cloud, key: str) -> bool:
    return cloud.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_no_resource_outlives_the_stack() -> None:
    kept = {"DeletionPolicy", "UpdateReplacePolicy"}
    assert [name for name, each in TEMPLATE["Resources"].items() if each.keys() & kept] == []


def test_the_outputs_name_what_was_made(bare: Stack) -> None:
    alarm = bare.made("AWS::CloudWatch::Alarm")[0]
    assert bare.outputs["AlarmName"] == alarm["AlarmName"]
    assert bare.outputs["TopicArn"] in {each["TopicArn"] for each in bare.cloud.client("sns").list_topics()["Topics"]}
    assert bare.outputs["PolicyArn"].startswith(f"arn:aws:iam::{ACCOUNT}:policy/bare-ExecutionRolePolicy")
    assert bare.outputs["DashboardUrl"].endswith(f"?region={REGION}#dashboards/dashboard/bare")


@pytest.mark.parametrize("path", ["/", "/service-role/"])
def test_the_policy_is_attached_to_the_role_whatever_its_path(cloud: Cloud, path: str) -> None:
    arn = cloud.client("iam").create_role(RoleName="other", Path=path, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    stack = deploy(cloud, "elsewhere", ExecutionRoleArn=arn)
    attached = cloud.client("iam").list_attached_role_policies(RoleName="other")["AttachedPolicies"]
    remove(cloud, stack.name)
    cloud.client("iam").delete_role(RoleName="other")
    assert len(attached) == 1


@pytest.mark.parametrize("stack", ["bare", "full"])
def test_each_policy_fits_into_what_iam_takes(stack: str, request: pytest.FixtureRequest) -> None:
    sizes = [len(json.dumps(each, separators=(",", ":"))) for each in request.getfixturevalue(stack).role_policies]
    assert max(sizes) < 6144 * 0.8  # names may be longer than here


def test_the_alarm_watches_scheduled_evaluations_and_tells_the_topic(bare: Stack) -> None:
    alarm = bare.made("AWS::CloudWatch::Alarm")[0]
    monitors, _ = load_monitors(ROOT / "include" / "monitors")
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
        "Monitor": monitors[0].dag_id,
        "RunType": "scheduled",
    }
    assert (alarm["Namespace"], alarm["MetricName"]) == ("RedshiftAuthAlert", "IntervalsEvaluated")
    assert alarm["AlarmActions"] == alarm["OKActions"] == [bare.outputs["TopicArn"]]


def test_the_alarm_goes_off_after_two_intervals_without_an_evaluation(bare: Stack) -> None:
    alarm = bare.made("AWS::CloudWatch::Alarm")[0]
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("Sum", "LessThanThreshold", 1)
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (30 * 60, 2, "breaching")


def test_the_dashboard_shows_each_metric_and_the_alarm(bare: Stack) -> None:
    got = bare.cloud.client("cloudwatch").get_dashboard(DashboardName="bare")["DashboardBody"]
    widgets = json.loads(got)["widgets"]
    searches = [each["properties"]["metrics"][0][0]["expression"] for each in widgets if each["type"] == "metric"]
    assert [re.findall(r'MetricName="(\w+)"', each)[0] for each in searches] == [
        "Failures",
        "BreachingGroups",
        "IntervalsEvaluated",
    ]
    assert all(each.startswith('SEARCH(\'{"RedshiftAuthAlert",Monitor,RunType} ') for each in searches)
    assert widgets[0]["properties"]["alarms"] == [f"arn:aws:cloudwatch:{HERE}:alarm:{bare.outputs['AlarmName']}"]


def test_nobody_is_subscribed_unless_asked_for(bare: Stack) -> None:
    assert bare.made("AWS::SNS::Subscription") == bare.made("AWS::Chatbot::SlackChannelConfiguration") == []


def test_mail_and_chat_are_subscribed_on_request(full: Stack) -> None:
    mail, chat = full.made("AWS::SNS::Subscription")[0], full.made("AWS::Chatbot::SlackChannelConfiguration")[0]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "security@example.com")
    assert mail["TopicArn"] == chat["SnsTopicArns"][0] == full.outputs["TopicArn"]


def test_nobody_runs_commands_from_the_chat(full: Stack) -> None:
    role, chat = full.made("AWS::IAM::Role")[0], full.made("AWS::Chatbot::SlackChannelConfiguration")[0]
    assert not role.keys() & {"Policies", "ManagedPolicyArns"}
    assert chat["GuardrailPolicies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]


def test_no_network_is_made_unless_asked_for(bare: Stack) -> None:
    assert [
        kind for kind in ("VPCEndpoint", "SecurityGroup", "SecurityGroupIngress") if bare.made(f"AWS::EC2::{kind}")
    ] == []


def test_endpoints_are_made_for_what_is_called(full: Stack, network: dict[str, str]) -> None:
    all_made = full.cloud.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    made = [each for each in all_made if each["VpcId"] == network["VpcId"]]
    assert {(each["ServiceName"].rpartition(".")[2], each["VpcEndpointType"]) for each in made} == {
        ("s3", "Gateway"),
        *((name, "Interface") for name in ("sns", "ssm", "athena", "redshift", "redshift-serverless", "monitoring")),
    }


def test_endpoints_and_cluster_let_only_mwaa_in(full: Stack, network: dict[str, str]) -> None:
    groups = full.cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    rules = {
        (rule["FromPort"], rule["ToPort"], tuple(pair["GroupId"] for pair in rule["UserIdGroupPairs"]))
        for group in groups
        if group["GroupId"] == network["ClusterSecurityGroupId"] or group["GroupName"].startswith("full-")
        for rule in group["IpPermissions"]
    }
    mwaa = (network["MwaaSecurityGroupId"],)
    assert rules == {(443, 443, mwaa), (5439, 5439, mwaa)}


# the topic and its key

ALARM = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:cloudwatch:{HERE}:alarm:bare-not-evaluated"}
CLOUDWATCH = "Service:cloudwatch.amazonaws.com"


def may_publish(stack: Stack, principal: str, **context: str) -> bool:
    topic = stack.outputs["TopicArn"]
    return is_allowed([stack.topic_policy], "sns:Publish", topic, {"aws:SecureTransport": "true"} | context, principal)


def test_the_role_publishes(bare: Stack) -> None:
    assert may_publish(bare, f"AWS:{ROLE}")


def test_the_alarm_publishes(bare: Stack) -> None:
    assert may_publish(bare, CLOUDWATCH, **ALARM)


@pytest.mark.parametrize(
    ("principal", "context"),
    [
        (f"AWS:{ROLE}x", {}),
        (f"AWS:arn:aws:iam::{ACCOUNT}:root", {}),
        ("AWS:*", {}),
        ("Service:events.amazonaws.com", ALARM),
        (CLOUDWATCH, {}),
        (CLOUDWATCH, ALARM | {"aws:SourceAccount": "210987654321"}),
        (CLOUDWATCH, ALARM | {"aws:SourceArn": f"arn:aws:cloudwatch:{HERE}:alarm:other"}),
        (CLOUDWATCH, ALARM | {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:210987654321:alarm:bare-not-evaluated"}),
    ],
)
def test_nobody_else_publishes(bare: Stack, principal: str, context: dict[str, str]) -> None:
    assert not may_publish(bare, principal, **context)


@pytest.mark.parametrize(("principal", "context"), [(f"AWS:{ROLE}", {}), (CLOUDWATCH, ALARM)])
def test_the_topic_refuses_plain_http(bare: Stack, principal: str, context: dict[str, str]) -> None:
    assert not may_publish(bare, principal, **context | {"aws:SecureTransport": "false"})


@pytest.mark.parametrize(
    "action", ["sns:Subscribe", "sns:SetTopicAttributes", "sns:GetTopicAttributes", "sns:DeleteTopic"]
)
def test_the_topics_policy_denies_plain_http_for_more_than_publishing(bare: Stack, action: str) -> None:
    anybody = {"Statement": [{"Effect": "Allow", "Action": "sns:*", "Resource": "*"}]}
    topic = bare.outputs["TopicArn"]
    for_all = [anybody, bare.topic_policy]
    assert not is_allowed(for_all, action, topic, {"aws:SecureTransport": "false"}, "")
    assert is_allowed(for_all, action, topic, {"aws:SecureTransport": "true"}, "")


def test_the_topic_is_encrypted_with_a_key_that_rotates(bare: Stack) -> None:
    assert bare.cloud.client("kms").get_key_rotation_status(KeyId=bare.key)["KeyRotationEnabled"]


VIA_SNS = {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}


@pytest.mark.parametrize("action", ["kms:GenerateDataKey", "kms:Decrypt"])
@pytest.mark.parametrize(
    ("principal", "context", "allowed"),
    [
        (f"AWS:{ROLE}", VIA_SNS, True),
        (f"AWS:{ROLE}", {}, False),
        (f"AWS:{ROLE}", {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}, False),
        (f"AWS:{ROLE}x", VIA_SNS, False),
        (f"AWS:arn:aws:iam::{ACCOUNT}:root", VIA_SNS, False),
        (CLOUDWATCH, ALARM, True),
        (CLOUDWATCH, {}, False),
        (CLOUDWATCH, {"aws:SourceAccount": "210987654321"}, False),
    ],
)
def test_only_role_and_alarms_use_the_key(
    bare: Stack, action: str, principal: str, context: dict[str, str], *, allowed: bool
) -> None:
    assert is_allowed([bare.key_policy], action, "this key", context, principal) is allowed


@pytest.mark.parametrize("action", ["kms:CreateGrant", "kms:Encrypt", "kms:ReEncryptFrom"])
def test_the_account_cannot_lend_the_key(bare: Stack, action: str) -> None:
    assert not is_allowed([bare.key_policy], action, "this key", {}, f"AWS:arn:aws:iam::{ACCOUNT}:root")


@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:EnableKeyRotation"])
def test_the_account_keeps_the_administration_of_the_key(bare: Stack, action: str) -> None:
    assert is_allowed([bare.key_policy], action, "this key", {}, f"AWS:arn:aws:iam::{ACCOUNT}:root")


# the execution role; <topic> and <key> stand for the stack's own

PARAMETER = f"arn:aws:ssm:{HERE}:parameter"
GLUE = f"arn:aws:glue:{HERE}"
DBUSER, DBNAME = f"arn:aws:redshift:{HERE}:dbuser", f"arn:aws:redshift:{HERE}:dbname"
ATHENA = f"arn:aws:athena:{HERE}:workgroup"
LOG = f"audit/AWSLogs/{ACCOUNT}"
VIA_SSM = {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}
NAMESPACE = {"cloudwatch:namespace": "RedshiftAuthAlert"}
Asked = tuple[str, str, dict[str, str]]

ALWAYS: list[Asked] = [
    ("sns:Publish", "<topic>", {}),
    ("kms:GenerateDataKey", "<key>", VIA_SNS),
    ("kms:Decrypt", "<key>", VIA_SNS),
    ("cloudwatch:PutMetricData", "*", NAMESPACE),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/redshift_default", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/aws_default", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/variables/redshift_auth_alert_topic_arn", {}),
]
ON_REQUEST: list[Asked] = [
    ("sns:Publish", f"arn:aws:sns:{HERE}:existing", {}),
    ("ssm:GetParameter", f"{PARAMETER}/redshift/user", {}),
    ("ssm:GetParameter", f"{PARAMETER}/redshift/password", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/athena_default", {}),
    ("kms:Decrypt", KEY_OF_PARAMETERS, VIA_SSM),
    ("redshift:GetClusterCredentials", f"{DBUSER}:warehouse/auth_monitor", {}),
    ("redshift:GetClusterCredentials", f"{DBNAME}:warehouse/dev", {}),
    ("redshift-serverless:GetCredentials", WORKGROUP, {}),
    *((f"athena:{name}QueryExecution", f"{ATHENA}/monitor", {}) for name in ("Start", "Get", "Stop")),
    ("athena:GetQueryResults", f"{ATHENA}/monitor", {}),
    ("glue:GetDatabase", f"{GLUE}:catalog", {}),
    ("glue:GetDatabase", f"{GLUE}:database/audit", {}),
    ("glue:GetTable", f"{GLUE}:table/audit/redshift_audit_log", {}),
    ("glue:GetTable", f"{GLUE}:table/audit/redshift_cloudtrail", {}),
    ("s3:GetObject", f"arn:aws:s3:::logs/{LOG}/redshift/{REGION}/2026/03/01/log.gz", {}),
    ("s3:GetObject", f"arn:aws:s3:::logs/{LOG}/CloudTrail/{REGION}/2026/03/01/trail.json.gz", {}),
    ("s3:ListBucket", "arn:aws:s3:::logs", {"s3:prefix": f"{LOG}/redshift/{REGION}/2026/03/01/"}),
    ("s3:ListBucket", "arn:aws:s3:::logs", {"s3:prefix": f"{LOG}/CloudTrail/{REGION}/2026/03/01/"}),
    ("s3:GetBucketLocation", "arn:aws:s3:::logs", {}),
    ("s3:GetBucketLocation", "arn:aws:s3:::athena", {}),
    ("s3:GetObject", "arn:aws:s3:::athena/results/1.csv", {}),
    ("s3:PutObject", "arn:aws:s3:::athena/results/1.csv", {}),
    ("s3:AbortMultipartUpload", "arn:aws:s3:::athena/results/1.csv", {}),
    ("s3:ListMultipartUploadParts", "arn:aws:s3:::athena/results/1.csv", {}),
]
NEVER: list[Asked] = [
    ("sns:Publish", f"arn:aws:sns:{HERE}:other", {}),
    ("sns:Publish", "<topic>x", {}),
    ("sns:Subscribe", "<topic>", {}),
    ("sns:SetTopicAttributes", "<topic>", {}),
    ("sns:DeleteTopic", "<topic>", {}),
    ("kms:Decrypt", "<key>", {}),
    ("kms:Decrypt", "<key>", VIA_SSM),
    ("kms:GenerateDataKey", "<key>", {}),
    ("kms:Encrypt", "<key>", VIA_SNS),
    ("kms:PutKeyPolicy", "<key>", VIA_SNS),
    ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/other", VIA_SNS),
    ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/other", VIA_SSM),
    ("kms:Decrypt", KEY_OF_PARAMETERS, {}),
    ("kms:Decrypt", KEY_OF_PARAMETERS, VIA_SNS),
    ("kms:GenerateDataKey", KEY_OF_PARAMETERS, VIA_SSM),
    ("cloudwatch:PutMetricData", "*", {}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "RedshiftAuthAlertX"}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/Redshift"}),
    ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:full-not-evaluated", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/redshift_defaultX", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/redshift_default/x", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/other", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/connections/", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/variables/other", {}),
    ("ssm:GetParameter", f"{PARAMETER}/airflow/variables/redshift_auth_alert_topic_arn2", {}),
    ("ssm:GetParameter", f"{PARAMETER}/redshift/users", {}),
    ("ssm:GetParameter", f"{PARAMETER}/redshift/other", {}),
    ("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/redshift/user", {}),
    ("ssm:GetParametersByPath", f"{PARAMETER}/airflow/connections/redshift_default", {}),
    ("ssm:PutParameter", f"{PARAMETER}/airflow/connections/redshift_default", {}),
    ("redshift:GetClusterCredentials", f"{DBUSER}:warehouse/admin", {}),
    ("redshift:GetClusterCredentials", f"{DBUSER}:warehouse/auth_monitor2", {}),
    ("redshift:GetClusterCredentials", f"{DBUSER}:other/auth_monitor", {}),
    ("redshift:GetClusterCredentials", f"{DBNAME}:warehouse/prod", {}),
    ("redshift:GetClusterCredentials", f"{DBNAME}:other/dev", {}),
    ("redshift:GetClusterCredentialsWithIAM", f"{DBNAME}:warehouse/dev", {}),
    ("redshift:CreateClusterUser", f"{DBUSER}:warehouse/auth_monitor", {}),
    ("redshift:JoinGroup", f"arn:aws:redshift:{HERE}:dbgroup:warehouse/admins", {}),
    ("redshift:DescribeClusters", f"arn:aws:redshift:{HERE}:cluster:warehouse", {}),
    ("redshift-serverless:GetCredentials", f"{WORKGROUP}f", {}),
    ("redshift-serverless:GetWorkgroup", WORKGROUP, {}),
    ("athena:StartQueryExecution", f"{ATHENA}/primary", {}),
    ("athena:StartQueryExecution", f"{ATHENA}/monitor2", {}),
    ("athena:GetQueryResults", f"{ATHENA}/primary", {}),
    ("athena:UpdateWorkGroup", f"{ATHENA}/monitor", {}),
    ("glue:GetTable", f"{GLUE}:table/audit/other", {}),
    ("glue:GetTable", f"{GLUE}:table/other/redshift_audit_log", {}),
    ("glue:GetDatabase", f"{GLUE}:database/other", {}),
    ("glue:DeleteTable", f"{GLUE}:table/audit/redshift_audit_log", {}),
    ("glue:UpdateTable", f"{GLUE}:table/audit/redshift_audit_log", {}),
    ("s3:GetObject", f"arn:aws:s3:::logs2/{LOG}/redshift/x", {}),
    ("s3:GetObject", f"arn:aws:s3:::other/{LOG}/redshift/x", {}),
    ("s3:GetObject", f"arn:aws:s3:::logs/AWSLogs/{ACCOUNT}/redshift/x", {}),
    ("s3:GetObject", "arn:aws:s3:::logs/audit/AWSLogs/210987654321/redshift/x", {}),
    ("s3:GetObject", f"arn:aws:s3:::logs/{LOG}/elasticloadbalancing/x", {}),
    ("s3:PutObject", f"arn:aws:s3:::logs/{LOG}/redshift/x", {}),
    ("s3:DeleteObject", f"arn:aws:s3:::logs/{LOG}/redshift/x", {}),
    ("s3:ListBucket", "arn:aws:s3:::logs", {}),
    ("s3:ListBucket", "arn:aws:s3:::logs", {"s3:prefix": ""}),
    ("s3:ListBucket", "arn:aws:s3:::logs", {"s3:prefix": f"{LOG}/"}),
    ("s3:ListBucket", "arn:aws:s3:::other", {"s3:prefix": f"{LOG}/redshift/"}),
    ("s3:GetBucketLocation", "arn:aws:s3:::other", {}),
    ("s3:GetObject", "arn:aws:s3:::athena/other/1.csv", {}),
    ("s3:PutObject", "arn:aws:s3:::athena/other/1.csv", {}),
    ("s3:PutObject", "arn:aws:s3:::other/results/1.csv", {}),
    ("s3:DeleteObject", "arn:aws:s3:::athena/results/1.csv", {}),
    ("iam:PassRole", ROLE, {}),
    ("iam:AttachRolePolicy", ROLE, {}),
    ("sts:AssumeRole", ROLE, {}),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:airflow/connections/redshift_default", {}),
]


def role_may(stack: Stack, asked: Asked) -> bool:
    action, resource, context = asked
    key = stack.key if stack.key.startswith("arn:") else f"arn:aws:kms:{HERE}:key/{stack.key}"
    own = resource.replace("<topic>", stack.outputs["TopicArn"]).replace("<key>", key)
    return is_allowed(stack.role_policies, action, own, context)


def name_of(asked: Asked) -> str:
    action, resource, context = asked
    return " ".join([action, resource.replace(f"{HERE}:", ""), *(f"{key}={value}" for key, value in context.items())])


@pytest.mark.parametrize("asked", ALWAYS, ids=name_of)
@pytest.mark.parametrize("stack", ["bare", "full"])
def test_the_role_may(asked: Asked, stack: str, request: pytest.FixtureRequest) -> None:
    assert role_may(request.getfixturevalue(stack), asked)


@pytest.mark.parametrize("asked", ON_REQUEST, ids=name_of)
def test_the_role_may_where_the_option_is_on(full: Stack, asked: Asked) -> None:
    assert role_may(full, asked)


@pytest.mark.parametrize("asked", ON_REQUEST, ids=name_of)
def test_the_role_may_not_where_the_option_is_off(bare: Stack, asked: Asked) -> None:
    assert not role_may(bare, asked)


@pytest.mark.parametrize("asked", NEVER, ids=name_of)
@pytest.mark.parametrize("stack", ["bare", "full"])
def test_the_role_may_not(asked: Asked, stack: str, request: pytest.FixtureRequest) -> None:
    assert not role_may(request.getfixturevalue(stack), asked)


def test_a_parameter_may_be_named_without_a_slash_at_its_start(cloud: Cloud) -> None:
    stack = deploy(cloud, "unslashed", UserParameter="redshift_user", PasswordParameter="/redshift/password")
    named = ("redshift_user", "redshift/password", "/redshift_user", "redshift_userx")
    may = [role_may(stack, ("ssm:GetParameter", f"{PARAMETER}/{name}", {})) for name in named]
    remove(cloud, stack.name)
    assert may == [True, True, False, False]


def test_without_the_trail_in_the_bucket_it_is_not_read(cloud: Cloud) -> None:
    stack = deploy(cloud, "untrailed", **OPTIONS | {"ReadCloudTrail": "false", "CreateVpcEndpoints": "false"})
    trail = [asked for asked in ON_REQUEST if "cloudtrail" in name_of(asked).lower()]
    may = [role_may(stack, asked) for asked in trail]
    remove(cloud, stack.name)
    assert may == [False] * 3


@pytest.mark.parametrize(("stack", "asked"), [("bare", ALWAYS), ("full", ALWAYS + ON_REQUEST)], ids=["bare", "full"])
def test_the_role_is_granted_no_action_beside_these(
    stack: str, asked: list[Asked], request: pytest.FixtureRequest
) -> None:
    granted: set[str] = set()
    for policy in request.getfixturevalue(stack).role_policies:
        for statement in policy["Statement"]:
            actions = statement["Action"]
            granted |= {actions} if isinstance(actions, str) else set(actions)
    assert {action.rstrip("*") for action in granted} == {action for action, _, _ in asked}


def test_only_metrics_have_no_resource(full: Stack) -> None:
    statements = [statement for policy in full.role_policies for statement in policy["Statement"]]
    assert [each["Sid"] for each in statements if each["Resource"] in ("*", ["*"])] == ["SendMetrics"]
