"""The record of one delivery, without secrets.

This module owns its fields. It must not know who made it.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

import re

import msgspec

from archal_lambda.local.webhooks.outgoing import Job, Pairs, Result

__all__ = ["Delivery", "delivery_of"]

_REDACTED = "[redacted]"
_SENSITIVE = re.compile(r"auth|token|secret|cookie|key|signature|password", re.IGNORECASE)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver what a clone told.

    Args:
        number: Its place among all deliveries, from 1 up, in the order in which they were done.
        clone: Clone id.
        event: The event as the service calls it: `issues`, `customer.created`, `message`, `Issue`.
        action: What happened, where the service says that apart: `opened`, `create`.
        id: What tells it from other deliveries; a duplicate and another attempt have the same.
        target: The handler's name, or the URL without query and credentials.
        status: HTTP status of the response, or the one that AWS makes of the handler's result; None if there was none.
        error: Why it failed: the type of an exception, such as `KeyError`, `SystemExit` or `ConnectionRefusedError`,
            `TimeoutError`, `not a loopback address`, `loop`, or `stopped`. None if there was a response.
        attempt: 1, and one more for each `redeliver`.
        duration_ms: Milliseconds that it took.
        headers: Header fields as they were sent, sensitive values redacted.
        body: The payload in JSON.
    """

    __module__ = "archal_lambda.local"

    number: int
    clone: str
    event: str
    action: str | None
    id: str
    target: str
    status: int | None
    error: str | None
    attempt: int
    duration_ms: float
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the target took it: a status below 300, and no error."""
        return self.error is None and self.status is not None and self.status < 300  # noqa: PLR2004 - as services count

    def __repr__(self) -> str:
        # The rest may hold what is nobody's but the test's.
        came = self.error or self.status
        return f"<Delivery {self.number}: {self.clone} {self.event} to {self.target}: {came}>"


def delivery_of(number: int, job: Job, headers: Pairs, result: Result) -> Delivery:
    """Make the record of an attempt."""
    secret = None if job.hook.secret is None else job.hook.secret.reveal()
    body = job.message.body.decode("utf-8", "replace")
    return Delivery(
        number=number,
        clone=job.owner[1],
        event=job.message.event,
        action=job.message.action,
        id=job.id,
        target=job.target,
        status=result.status,
        error=result.error,
        attempt=job.attempt,
        duration_ms=result.seconds * 1000,
        headers=tuple(
            (name.lower(), _REDACTED if _SENSITIVE.search(name) else value)
            for name, value in headers
        ),
        body=body.replace(secret, _REDACTED) if secret else body,
    )
