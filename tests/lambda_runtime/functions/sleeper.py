"""A handler that takes as long as it is told to."""

import os
import time


def handler(event, context):
    time.sleep(event["seconds"])
    return os.getpid()
