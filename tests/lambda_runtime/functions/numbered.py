"""The handler `create_repo`, saying which process ran it."""

import os

from archal_lambda.handlers import create_repo


def handler(event, context):
    return {"pid": os.getpid(), "result": create_repo.handler(event, context)}
