"""What the caller of an HTTP function gets to see of a failure, the same on every host.

This module owns that choice. It must not log: what the caller must not see is for the host's own log.
"""

from __future__ import annotations

from archal_lambda.core.response import Response
from archal_lambda.errors import (
    ArchalError,
    ConfigurationError,
    DecodeError,
    RequestTimeout,
    RouteRejectedError,
    StatusError,
)

__all__ = ["clones_own_answer", "json_answer", "what_the_caller_sees"]


def json_answer(status_code: int, value: object) -> Response:
    """Make an answer with a JSON body.

    Args:
        status_code: The HTTP status.
        value: The body: anything msgspec encodes.

    Returns:
        The answer.
    """
    return Response(status_code, headers={"content-type": "application/json"}, json=value)


def clones_own_answer(error: ArchalError) -> Response | None:
    """Find the answer by which a clone refused.

    Args:
        error: What went wrong.

    Returns:
        The clone's answer, or None if it was not the clone that refused.
    """
    if isinstance(error, StatusError) and not isinstance(error, RouteRejectedError):
        return error.response
    return None


def what_the_caller_sees(error: ArchalError) -> Response:
    """Answer a failed call: enough for the caller to act on, no detail of the set-up.

    Args:
        error: What went wrong.

    Returns:
        The clone's own answer if it refused; 504 if time ran out; 502 for everything else that is not the
        caller's fault.
    """
    own = clones_own_answer(error)
    if own is not None:
        return own
    status_code, message = 502, "the clone could not be reached"
    if isinstance(error, RequestTimeout):
        status_code, message = 504, "the clone did not answer in time"
    elif isinstance(error, ConfigurationError | RouteRejectedError):
        message = "this function is not set up to reach the clone"
    elif isinstance(error, DecodeError):  # it may have done what was asked all the same
        message = "the clone's answer could not be read"
    return json_answer(status_code, {"message": message})
