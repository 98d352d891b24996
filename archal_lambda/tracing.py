"""Headers that carry a trace on: W3C Trace Context, and AWS X-Ray's own.

This module owns reading the trace that Lambda is in. It must not start, time or report anything. It does nothing unless
it is asked to: `Clones(…, trace=tracing.w3c)`.
"""

from __future__ import annotations

import re

from archal_lambda.core import hooks
from archal_lambda.core.settings import process_variable

__all__ = ["TraceHeaders", "w3c", "xray"]

TraceHeaders = hooks.TraceHeaders

# AWS X-Ray developer guide, "Tracing header"; Lambda sets the variable anew for each invocation.
_VARIABLE = "_X_AMZN_TRACE_ID"
_ROOT = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|\Z)")
_PARENT = re.compile(r"(?:\A|;)Parent=([0-9a-f]{16})(?:;|\Z)")
_SAMPLED = re.compile(r"(?:\A|;)Sampled=1(?:;|\Z)")


def xray() -> dict[str, str]:
    """Give the header by which AWS services know a trace.

    Returns:
        `X-Amzn-Trace-Id` as Lambda sets it for this invocation; empty if it sets none.
    """
    value = process_variable(_VARIABLE)
    return {"X-Amzn-Trace-Id": value} if _ROOT.search(value) else {}


def w3c() -> dict[str, str]:
    """Give the header by which everybody else knows a trace (W3C Trace Context, section 3.2).

    Returns:
        `traceparent`, made of what Lambda sets for this invocation; empty if that names no trace and span.
    """
    value = process_variable(_VARIABLE)
    root, parent = _ROOT.search(value), _PARENT.search(value)
    if root is None or parent is None:
        return {}
    flags = "01" if _SAMPLED.search(value) else "00"
    return {"traceparent": f"00-{root[1]}{root[2]}-{parent[1]}-{flags}"}
