"""Against what the checks run, and what they have in common.

It imports nothing but the package and what Pyodide has.
"""

from __future__ import annotations

import base64
import time
import traceback

from conformance.faces import face

import archal_lambda as archal
from archal_lambda import Settings, errors

LATE = 0.8  # seconds after its budget by which a call has returned, on a busy machine
ROUTE = (
    "arch" + "al_" + "RouteToken" * 3
)  # put together here, so that no scanner takes the source for a leak
TOKEN = "gh" + "p_" + "ServiceToken" * 3
LIMIT = 100_000  # bytes


class Host:
    """Where the checks run, and against what.

    Args:
        kind: `sync` or `async`.
        origin: The misbehaving server.
        closed: An address where nobody listens.
        untrusted: A server whose certificate nobody has heard of.
        environ: The variables of a local Archal.
    """

    def __init__(self, kind, origin, closed, untrusted, environ):
        self.kind = kind
        self.origin = origin
        self.closed = closed
        self.untrusted = untrusted
        self.environ = environ
        self._run = time.time_ns()
        self._keys = 0

    def clones(self, urls=None, **options):
        settings = Settings(clone_urls=urls or {"svc": f"{self.origin}/svc/api"}, token=ROUTE)
        options.setdefault("max_response_bytes", LIMIT)
        return self.made("Clones", settings, **options)

    def made(self, name, settings, **options):
        """Make a client: of this host's kind, with the face of an asynchronous one."""
        if self.kind == "async":
            return getattr(archal, f"Async{name}")(settings, **options)
        return face(getattr(archal, name)(settings, **options))

    @property
    def svc(self):
        return self.clones()["svc"]

    def key(self):
        self._keys += 1
        return f"key-{self._run}-{self._keys}"

    async def seen(self, key):
        """Ask the server for the requests with a key."""
        requests = (await self.svc.get(f"/seen/{key}")).json()
        for one in requests:
            one["body"] = base64.b64decode(one["body"])
        return requests


async def fails(call, error, *, within=None):
    """Await a call that must fail with this error, in time, and without showing a secret."""
    started = time.monotonic()
    try:
        await call
    except errors.ArchalError as caught:
        took = time.monotonic() - started
        failure = caught
    else:
        raise AssertionError(f"no {error.__name__}")
    text = "".join(traceback.format_exception(failure)) + repr(failure) + repr(vars(failure))
    assert isinstance(failure, error), text
    assert ROUTE not in text
    assert TOKEN not in text
    assert "query-secret" not in text
    assert within is None or took < within + LATE, f"{took} s"
    return failure


async def refused(call):
    """Make a call that must not be made: `call()` or what it returns raises ValueError."""
    try:
        await call()
    except ValueError as error:
        return str(error)
    raise AssertionError("no ValueError")
