"""An offline stand-in for Archal: control plane, runtime proxy and a GitHub clone on loopback.

It exists so that tests and demonstrations run without network and without an account. This package owns everything a
caller of Archal can observe over HTTP. It must not share HTTP code, models or rules with the clients: a mistake made on
both sides would hide itself.

Example:
    >>> from archal_lambda.local import LocalArchal
    >>> with LocalArchal(clones=["github"]) as archal:
    ...     sorted(archal.environ)[:2]
    ['AGENT_CLONE_URLS', 'AGENT_ROUTE_HEADERS']
"""

from __future__ import annotations

from importlib import import_module

_EXTRA = frozenset({"httpcore", "msgspec", "starlette", "uvicorn"})

try:
    from archal_lambda.local.clones.running import UnsupportedError
    from archal_lambda.local.server.archal import LocalArchal
    from archal_lambda.local.server.changes import Change, Mark
    from archal_lambda.local.server.fault_handles import FaultHandle
    from archal_lambda.local.server.records import RecordedHeaders, RecordedRequest, SeenByClone
    from archal_lambda.local.server.steering import ClockHandle
    from archal_lambda.local.webhooks.delivery import Delivery
    from archal_lambda.local.webhooks.desk import Webhooks, WebhookTarget
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in _EXTRA:
        raise
    raise ImportError(
        f"archal_lambda.local needs {error.name}: pip install 'archal-lambda[local]'",
        name=error.name,
    ) from error

__all__ = [
    "Change",
    "ClockHandle",
    "Delivery",
    "FaultHandle",
    "LocalArchal",
    "Mark",
    "RecordedHeaders",
    "RecordedRequest",
    "SeenByClone",
    "UnsupportedError",
    "WebhookTarget",
    "Webhooks",
]


def __getattr__(name: str) -> object:
    if name == "LocalContext":  # its home before it had one of its own
        return import_module("archal_lambda.testing").LocalContext
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
