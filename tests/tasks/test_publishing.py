"""A FIFO topic over HTTP: what a retry and another interval bring to its subscriber."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator

from redshift_auth_alert.tasks.operators import FailureNotifier
from sandbox.aws import CREDENTIALS, Cloud, running_cloud

FIFO = {"FifoTopic": "true"}


@pytest.fixture
def fifo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with running_cloud() as cloud:
        topic = cloud.client("sns").create_topic(Name="alerts.fifo", Attributes=FIFO)["TopicArn"]
        queue = cloud.client("sqs").create_queue(QueueName="inbox.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        arn = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        extra = {"region_name": CREDENTIALS["region_name"], "endpoint_url": cloud.endpoint}
        aws = {"conn_type": "aws", "login": "sandbox", "password": "sandbox", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
        yield Cloud(cloud.endpoint, topic, queue)


def publish(cloud: Cloud, body: str, deduplication_id: str) -> None:
    SnsPublishOperator(
        task_id="publish", target_arn=cloud.topic_arn, message=body, message_group_id="monitor",
        message_deduplication_id=deduplication_id,
    ).execute({})  # fmt: skip


def test_a_retry_is_received_once_and_another_interval_too(fifo: Cloud) -> None:
    for body, deduplication_id in (("first", "1"), ("first, again", "1"), ("second", "2")):
        publish(fifo, body, deduplication_id)
    assert [mail.body for mail in fifo.take_mail()] == ["first", "second"]


def test_a_failure_is_received_from_a_fifo_topic(fifo: Cloud) -> None:
    FailureNotifier(
        target_arn=fifo.topic_arn, subject="[FAILED]", message="not evaluated", aws_conn_id="aws_default",
        message_group_id="monitor", message_deduplication_id="1",
    ).notify({})  # fmt: skip
    assert [mail.subject for mail in fifo.take_mail()] == ["[FAILED]"]
