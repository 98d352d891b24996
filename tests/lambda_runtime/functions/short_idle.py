"""A handler whose connections are soon too old to be used again."""

from archal_lambda import Clones
from archal_lambda.transports._urllib3 import UrllibTransport

clones = Clones.from_env(transport=UrllibTransport(max_idle_seconds=0.2), timeout=3.0)


def handler(event, context):
    return clones["github"].post("/user/repos", json=event, token="any").status_code
