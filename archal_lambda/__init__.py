"""Strict, typed, route-authorized calls to Archal clones from AWS Lambda and the edge.

This module owns the public names. Importing it loads nothing else of weight: each name loads its own module when
it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from archal_lambda._version import __version__

if TYPE_CHECKING:
    from archal_lambda import errors
    from archal_lambda.aio.client import AsyncArchalClient
    from archal_lambda.aio.clone import AsyncClone
    from archal_lambda.aio.clones import AsyncClones
    from archal_lambda.client import ArchalClient
    from archal_lambda.clone import Clone
    from archal_lambda.clones import Clones
    from archal_lambda.core.calls import CallRecord
    from archal_lambda.core.deadline import Deadline, Timeout
    from archal_lambda.core.exchange import RetryPolicy
    from archal_lambda.core.headers import Headers
    from archal_lambda.core.models import Session
    from archal_lambda.core.redact import Secret
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.core.settings import Settings
    from archal_lambda.errors import (
        ArchalError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConnectError,
        ConnectionLost,
        DecodeError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        RequestTimeout,
        ResponseTooLarge,
        RouteRejectedError,
        ServerError,
        SessionEndedError,
        StatusError,
        TeardownFailedError,
        TransportError,
        UnknownCloneError,
        UpgradeRequiredError,
    )

__all__ = [
    "ArchalClient",
    "ArchalError",
    "AsyncArchalClient",
    "AsyncClone",
    "AsyncClones",
    "AuthenticationError",
    "BadRequestError",
    "CallRecord",
    "Clone",
    "Clones",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLost",
    "Deadline",
    "DecodeError",
    "Headers",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "Request",
    "RequestTimeout",
    "Response",
    "ResponseTooLarge",
    "RetryPolicy",
    "RouteRejectedError",
    "Secret",
    "ServerError",
    "Session",
    "SessionEndedError",
    "Settings",
    "StatusError",
    "TeardownFailedError",
    "Timeout",
    "TransportError",
    "UnknownCloneError",
    "UpgradeRequiredError",
    "__version__",
    "errors",
]

_HOMES = {
    "ArchalClient": "client",
    "AsyncArchalClient": "aio.client",
    "AsyncClone": "aio.clone",
    "AsyncClones": "aio.clones",
    "CallRecord": "core.calls",
    "Clone": "clone",
    "Clones": "clones",
    "Deadline": "core.deadline",
    "Headers": "core.headers",
    "Request": "core.request",
    "Response": "core.response",
    "RetryPolicy": "core.exchange",
    "Secret": "core.redact",
    "Session": "core.models",
    "Settings": "core.settings",
    "Timeout": "core.deadline",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "errors":
        return import_module(f"{__name__}.errors")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
