"""The local AWS: moto's server stands in for SNS and SQS over HTTP, and a subscribed queue is the inbox."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import requests
from moto.server import ThreadedMotoServer

ACCOUNT, REGION = "123456789012", "eu-central-1"
CREDENTIALS = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox", "region_name": REGION}


@dataclass(frozen=True)
class Mail:
    """A message as a subscriber received it."""

    subject: str
    body: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class Cloud:
    """A running stand-in for AWS with one topic and its inbox."""

    endpoint: str
    topic_arn: str
    queue_url: str

    def client(self, service: str) -> Any:
        """Return a boto3 client of the stand-in."""
        return boto3.client(service, endpoint_url=self.endpoint, **CREDENTIALS)

    def subscribe(self, topic: str) -> str:
        """Create a topic to which the inbox is subscribed; return its ARN."""
        sqs, sns = self.client("sqs"), self.client("sns")
        attributes = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])["Attributes"]
        arn = str(sns.create_topic(Name=topic)["TopicArn"])
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])
        return arn

    def take_mail(self) -> list[Mail]:
        """Take all that has arrived in the inbox, the oldest first."""
        sqs, mails = self.client("sqs"), []
        while received := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                envelope = json.loads(message["Body"])
                attributes = {name: each["Value"] for name, each in envelope.get("MessageAttributes", {}).items()}
                mails.append(Mail(envelope.get("Subject", ""), envelope["Message"], attributes))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return mails

    def wait_for_mail(self, seconds: float) -> list[Mail]:
        """Take what arrives first; raise TimeoutError where nothing does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if mails := self.take_mail():
                return mails
            time.sleep(0.2)
        raise TimeoutError(f"no message reached the inbox within {seconds:.0f} seconds")


@contextlib.contextmanager
def running_cloud() -> Iterator[Cloud]:
    """Start the stand-in in a thread, empty but for the topic and the inbox; one at a time in a process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        cloud = Cloud(f"http://{host}:{port}", "", "")
        requests.post(f"{cloud.endpoint}/moto-api/reset", timeout=30)  # what an earlier one held outlives its server
        queue = cloud.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
        topic = Cloud(cloud.endpoint, "", queue).subscribe("redshift-auth-alerts")
        yield Cloud(cloud.endpoint, topic, queue)
    finally:
        server.stop()
