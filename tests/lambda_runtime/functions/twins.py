"""Two processes from one snapshot, both restored.

The C library's fork() does not tell Python, just as restoring a snapshot does not: what Python makes anew after
its own fork, such as the state of `random`, is the same in both.
"""

import ctypes
import os
from contextlib import suppress

from snapshot_restore_py import register_before_snapshot

from archal_lambda import ArchalClient, ArchalError, Response, Settings
from archal_lambda.transports.mock import MockTransport

STARTING = {
    "sessionId": "ses-1",
    "status": "starting",
    "cloneIds": ["github"],
    "endpoints": {},
    "apiBaseUrls": {},
    "createdAt": "2026-01-01T00:00:00Z",
    "expiresAt": "2026-01-01T01:00:00Z",
}


class EnoughError(Exception):
    """Ends the waiting."""


def answer(request):
    if request.method == "GET":
        return Response(200, json=STARTING)
    keys.append(request.headers["idempotency-key"])
    return Response(503)


def sleep(seconds):
    waits.append(seconds)
    if len(waits) == 5:
        raise EnoughError


keys, waits = [], []
client = ArchalClient(Settings(token="t"), transport=MockTransport(answer), sleep=sleep)
register_before_snapshot(ctypes.PyDLL(None).fork)


def handler(event, context):
    with suppress(ArchalError):
        client.sessions.create(clones=["github"])  # tried three times, with two waits
    with suppress(EnoughError):
        client.sessions.wait_until_running("ses-1")
    return {"pid": os.getpid(), "keys": keys, "waits": waits}
