"""DynamoDB's API on loopback, as moto serves it, for boto3 as it is."""

from __future__ import annotations

import contextlib

import boto3
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

REGION = "eu-west-1"


class Tables:
    """The served tables: `environ` points boto3 at them."""

    def __init__(self, url):
        self.environ = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_DYNAMODB": url,
        }
        self.client = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def create(self, name):
        """Make a table as the template does."""
        self.client.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def items(self, name):
        """Give all that a table holds, without the types."""
        found = self.client.scan(TableName=name)["Items"]
        return [{key: next(iter(value.values())) for key, value in one.items()} for one in found]


@contextlib.contextmanager
def serving():
    """Serve tables until the block ends."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Tables(f"http://{host}:{port}")
    finally:
        server.stop()
