"""deploy/template.yaml, created on the local AWS bare and with every option, and its policies read back.

moto knows no Fn::ForEach, so cfn-lint expands the template first, as CloudFormation does with the transform.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from cfnlint.decode import decode_str
from cfnlint.template import Template
from moto.cloudformation import parsing
from moto.cloudformation.models import cloudformation_backends

from sandbox.aws import ACCOUNT, REGION, Cloud
from tests.conftest import ROOT

BODY = (ROOT / "deploy" / "template.yaml").read_text()
TEMPLATE: dict[str, Any] = decode_str(BODY)[0]
HERE = f"{REGION}:{ACCOUNT}"
ALARM_TOPIC = f"arn:aws:sns:{HERE}:alarms"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/mwaa"
MONITORS = "default,fleet__sales,lab.eu-1:3600"
OPTIONS = {
    "AlertEmail": "security@example.com",
    "SlackWorkspaceId": "T012ABC",
    "SlackChannelId": "C012ABC",
    "ExistingTopicArn": f"arn:aws:sns:{HERE}:existing",
    "UserParameter": "redshift_user",
    "PasswordParameter": "/redshift/password",
    "ParametersKeyArn": f"arn:aws:kms:{HERE}:key/parameters",
    "AlarmTopicArn": ALARM_TOPIC,
    "ClusterIdentifier": "warehouse",
    "WorkgroupArn": f"arn:aws:redshift-serverless:{HERE}:workgroup/0a1b",
    "AuditLogBucket": "logs",
    "AuditLogPrefix": "audit/",
    "ReadCloudTrail": "true",
    "ReadSystemTables": "true",
    "AthenaWorkgroup": "monitor",
    "GlueDatabase": "audit",
    "AthenaResultsBucket": "athena",
    "ResponderNetworkAclId": "acl-0a1b",
    "CreateVpcEndpoints": "true",
    "CreateMonitoringAndS3Endpoints": "true",
}


@dataclass(frozen=True)
class Stack:
    """A stack that was created."""

    cloud: Cloud
    name: str
    template: dict[str, Any]

    @cached_property
    def outputs(self) -> dict[str, str]:
        described = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def made(self, kind: str) -> list[dict[str, Any]]:
        """The properties of each resource of a type, resolved by moto, also where moto makes none of it."""
        resources = cloudformation_backends[ACCOUNT][REGION].get_stack(self.name).resource_map
        return [
            parsing.clean_json(resource["Properties"], resources)
            for resource in self.template["Resources"].values()
            if resource["Type"] == kind and resources.lazy_condition_map.get(resource.get("Condition"), True)
        ]

    @cached_property
    def policies(self) -> dict[str, list[dict[str, Any]]]:
        """What the role is given, the stack's own roles, and the policies of topic and key; ``<...>`` are its own."""
        iam, sns, topic = self.cloud.client("iam"), self.cloud.client("sns"), self.outputs["TopicArn"]
        key = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"]
        attached = iam.list_attached_role_policies(RoleName="mwaa")["AttachedPolicies"]
        given = [
            iam.get_policy_version(PolicyArn=each["PolicyArn"], VersionId="v1")["PolicyVersion"]["Document"]
            for each in attached
            if each["PolicyName"].startswith(f"{self.name}-")
        ]
        of_key = self.cloud.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        of_topic = self.made("AWS::SNS::TopicPolicy")[0]["PolicyDocument"]
        roles = self.made("AWS::IAM::Role")
        found = {
            "role": given,
            "trust": [role["AssumeRolePolicyDocument"] for role in roles],
            "responder": [each["PolicyDocument"] for role in roles for each in role.get("Policies", [])],
            "topic": [of_topic],
            "key": [of_key],
        }
        own = {topic: "<topic>", key: "<key>", self.outputs.get("ResponderRoleArn", ""): "<responder>"}
        return _renamed(found, own)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value)


def expanded(monitors: str) -> dict[str, Any]:
    """The template with an alarm for each of ``monitors``. Raises ValueError where the transform refuses them."""
    given: dict[str, Any] = decode_str(BODY)[0]
    given["Parameters"]["Monitors"]["Default"] = monitors
    template = Template("template.yaml", given, [REGION])
    if problems := template.transform():
        raise ValueError(str(problems[0]))
    found: dict[str, Any] = json.loads(json.dumps(template.template))
    del found["Transform"]
    return found


def create(cloud: Cloud, name: str, **parameters: str) -> Stack:
    """Create a stack."""
    given = {"ExecutionRoleArn": ROLE, "Monitors": MONITORS} | parameters
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    template = expanded(given["Monitors"])
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=listed)
    return Stack(cloud, name, template)


def delete(cloud: Cloud, name: str) -> None:
    """Delete a stack, and its managed policies, which moto leaves."""
    iam = cloud.client("iam")
    cloud.client("cloudformation").delete_stack(StackName=name)
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        if policy["PolicyName"].startswith(f"{name}-"):
            for role in iam.list_entities_for_policy(PolicyArn=policy["Arn"])["PolicyRoles"]:
                iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=policy["Arn"])
            iam.delete_policy(PolicyArn=policy["Arn"])


def make_network(cloud: Cloud) -> dict[str, str]:
    """Make a VPC with MWAA's and the cluster's security groups; return the parameters that name them."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (1, 2)]
    mwaa, cluster = (
        ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
        for name in ("mwaa", "cluster")
    )
    routes = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    groups = {"MwaaSecurityGroupId": mwaa, "ClusterSecurityGroupId": cluster}
    return {"VpcId": vpc, "SubnetIds": ",".join(subnets), "RouteTableIds": routes} | groups


def with_role(cloud: Cloud) -> Iterator[Cloud]:
    """Give the local AWS an execution role, and take AWS::NoValue out of lists, where moto leaves it."""
    clean_json = parsing.clean_json

    def without_no_value(value: Any, resources: Any) -> Any:
        cleaned = clean_json(value, resources)
        return [each for each in cleaned if each is not None] if isinstance(cleaned, list) else cleaned

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "clean_json", without_no_value)
        cloud.client("iam").create_role(RoleName="mwaa", Path="/service-role/", AssumeRolePolicyDocument="{}")
        yield cloud
