"""What the caller of an HTTP function gets to see of a failure, the same on every host.

This module owns that choice. It must not log: what the caller must not see is for the host's own log.
"""

from __future__ import annotations

from archal_lambda.core.response import Response
from archal_lambda.errors import (
    ArchalError,
    ConfigurationError,
    DecodeError,
    ProtocolError,
    RequestTimeout,
    RouteRejectedError,
    StatusError,
)

__all__ = ["clone_response", "error_response", "json_response"]


def json_response(status_code: int, value: object) -> Response:
    """Make a response whose body is anything that msgspec encodes."""
    return Response(status_code, headers={"content-type": "application/json"}, json=value)


def clone_response(error: ArchalError) -> Response | None:
    """Find the response by which a clone refused; None if it was not the clone that refused."""
    if isinstance(error, StatusError) and not isinstance(error, RouteRejectedError):
        response = error.response
        return response if isinstance(response, Response) else None
    return None


def error_response(error: ArchalError) -> Response:
    """Answer a failed call with enough for the caller to act on, and no detail of the set-up.

    The clone's own response if it refused; 504 if time ran out; 502 for everything else that is not the caller's fault.
    """
    own = clone_response(error)
    if own is not None:
        return own
    status_code, message = 502, "the clone could not be reached"
    if isinstance(error, RequestTimeout):
        status_code, message = 504, "the clone did not answer in time"
    elif isinstance(error, ConfigurationError | RouteRejectedError):
        message = "this function is not set up to reach the clone"
    elif isinstance(
        error, DecodeError | ProtocolError
    ):  # it may have done what was asked all the same
        message = "the clone's response could not be read"
    return json_response(status_code, {"message": message})
