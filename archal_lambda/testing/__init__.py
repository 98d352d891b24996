"""What tests of a handler need, whatever they run against.

This module owns the public names. Each loads its own module when it is first used. `LocalContext` needs the standard
library alone.

Example:
    >>> from archal_lambda.testing import LocalContext
    >>> LocalContext(timeout=3.0, clock=lambda: 100.0).get_remaining_time_in_millis()
    3000
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.faults.fault import Fault
    from archal_lambda.lambda_events.events import make_event
    from archal_lambda.lambda_events.results import read_result
    from archal_lambda.lambda_events.values import WebRequest, WebResponse
    from archal_lambda.testing.context import LocalContext
    from archal_lambda.testing.fault_transport import FaultTransport
    from archal_lambda.testing.record_transport import RecordTransport
    from archal_lambda.testing.replay_transport import ReplayMissError, ReplayTransport

__all__ = [
    "Fault",
    "FaultTransport",
    "LocalContext",
    "RecordTransport",
    "ReplayMissError",
    "ReplayTransport",
    "WebRequest",
    "WebResponse",
    "make_event",
    "read_result",
]

_HOMES = {
    "Fault": "archal_lambda.faults.fault",
    "FaultTransport": "archal_lambda.testing.fault_transport",
    "LocalContext": "archal_lambda.testing.context",
    "RecordTransport": "archal_lambda.testing.record_transport",
    "ReplayMissError": "archal_lambda.testing.replay_transport",
    "ReplayTransport": "archal_lambda.testing.replay_transport",
    "WebRequest": "archal_lambda.lambda_events.values",
    "WebResponse": "archal_lambda.lambda_events.values",
    "make_event": "archal_lambda.lambda_events.events",
    "read_result": "archal_lambda.lambda_events.results",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
