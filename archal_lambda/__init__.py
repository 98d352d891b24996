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
    from archal_lambda.clients.aio import AsyncClone, AsyncClones
    from archal_lambda.clients.aio_control import AsyncArchalClient, AsyncHostedSession
    from archal_lambda.clients.control import ArchalClient, HostedSession
    from archal_lambda.clients.sync import Clone, Clones
    from archal_lambda.core.flow import RetryPolicy
    from archal_lambda.core.headers import Headers
    from archal_lambda.core.json import read_event
    from archal_lambda.core.records import CallHook, CallRecord, Transfer
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.core.secrets import Secret
    from archal_lambda.core.sessions import Session, SessionList
    from archal_lambda.core.settings import Settings
    from archal_lambda.core.timeouts import Deadline, LambdaContext, Timeout
    from archal_lambda.errors import (
        ArchalError,
        AuthenticationError,
        BadRequestError,
        CertificateError,
        ConfigurationError,
        ConnectError,
        ConnectionLost,
        DecodeError,
        McpError,
        NotFoundError,
        PageLimitError,
        PermissionDeniedError,
        ProtocolError,
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
        WebhookRejected,
    )
    from archal_lambda.mcp.client import AsyncMcp, Mcp
    from archal_lambda.mcp.values import (
        Prompt,
        PromptResult,
        Resource,
        ResourceContents,
        Tool,
        ToolResult,
    )
    from archal_lambda.transports.base import AsyncTransport, Transport

__all__ = [
    "ArchalClient",
    "ArchalError",
    "AsyncArchalClient",
    "AsyncClone",
    "AsyncClones",
    "AsyncHostedSession",
    "AsyncMcp",
    "AsyncTransport",
    "AuthenticationError",
    "BadRequestError",
    "CallHook",
    "CallRecord",
    "CertificateError",
    "Clone",
    "Clones",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLost",
    "Deadline",
    "DecodeError",
    "Headers",
    "HostedSession",
    "LambdaContext",
    "Mcp",
    "McpError",
    "NotFoundError",
    "PageLimitError",
    "PermissionDeniedError",
    "Prompt",
    "PromptResult",
    "ProtocolError",
    "RateLimitError",
    "Request",
    "RequestTimeout",
    "Resource",
    "ResourceContents",
    "Response",
    "ResponseTooLarge",
    "RetryPolicy",
    "RouteRejectedError",
    "Secret",
    "ServerError",
    "Session",
    "SessionEndedError",
    "SessionList",
    "Settings",
    "StatusError",
    "TeardownFailedError",
    "Timeout",
    "Tool",
    "ToolResult",
    "Transfer",
    "Transport",
    "TransportError",
    "UnknownCloneError",
    "UpgradeRequiredError",
    "WebhookRejected",
    "__version__",
    "errors",
    "read_event",
]

_HOMES = {
    "ArchalClient": "clients.control",
    "AsyncArchalClient": "clients.aio_control",
    "AsyncClone": "clients.aio",
    "AsyncClones": "clients.aio",
    "AsyncHostedSession": "clients.aio_control",
    "AsyncMcp": "mcp.client",
    "AsyncTransport": "transports.base",
    "CallHook": "core.records",
    "CallRecord": "core.records",
    "Clone": "clients.sync",
    "Clones": "clients.sync",
    "Deadline": "core.timeouts",
    "Headers": "core.headers",
    "HostedSession": "clients.control",
    "LambdaContext": "core.timeouts",
    "Mcp": "mcp.client",
    "Prompt": "mcp.values",
    "PromptResult": "mcp.values",
    "Request": "core.request",
    "Resource": "mcp.values",
    "ResourceContents": "mcp.values",
    "Response": "core.response",
    "RetryPolicy": "core.flow",
    "Secret": "core.secrets",
    "Session": "core.sessions",
    "SessionList": "core.sessions",
    "Settings": "core.settings",
    "Timeout": "core.timeouts",
    "Tool": "mcp.values",
    "ToolResult": "mcp.values",
    "Transfer": "core.records",
    "Transport": "transports.base",
    "read_event": "core.json",
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
