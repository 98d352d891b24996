"""Parts that several shapes have: names and values, bodies, times.

This module owns how AWS writes each. It must not know where in an event they stand.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archal_lambda.lambda_events.values import WebRequest

__all__ = [
    "ACCOUNT",
    "REGION",
    "body_text",
    "common_log_time",
    "declared_text",
    "forwarded",
    "grouped",
    "header",
    "is_declared",
    "iso_time",
    "query_pairs",
]

ACCOUNT = "123456789012"  # the account id of AWS's own documentation
REGION = "us-east-1"

# What is sent on as text, beside `text/*`; anything else is base64, forms and bodies without a type included. Elastic
# Load Balancing says so ("Lambda functions as targets"); for HTTP APIs it was seen (ministack, pull request 766).
_TEXTS = ("application/json", "application/javascript", "application/xml")


def header(request: WebRequest, name: str) -> str | None:
    """Find the first value of a header by its name in lower case."""
    return next((value for key, value in request.headers if key.lower() == name), None)


def grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Collect the values of each name, in order."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def query_pairs(query: str, *, decoded: bool) -> list[tuple[str, str]]:
    """Split a query into names and values; a name without `=` has an empty value."""
    pairs = [piece.partition("=") for piece in query.split("&") if piece]
    if not decoded:
        return [(name, value) for name, _, value in pairs]
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def body_text(request: WebRequest) -> tuple[str, bool]:
    """Write a body as it stands in an event, and tell whether that is base64: its type decides, and its coding."""
    kind = (header(request, "content-type") or "").partition(";")[0].strip().lower()
    plain = kind.startswith("text/") or kind in _TEXTS
    if plain and header(request, "content-encoding") is None:
        return declared_text(request, None)
    return _base64(request.content), True


def declared_text(request: WebRequest, binary: Sequence[str] | None) -> tuple[str, bool]:
    """Write a body as a REST API does, and tell whether that is base64: what of its type is declared as binary.

    None declares what is not text. Where that is not declared, it is damaged, as on AWS.
    """
    if binary is not None:
        if is_declared(binary, header(request, "content-type")):
            return _base64(request.content), True
        return request.content.decode(errors="replace"), False
    try:
        return request.content.decode(), False
    except UnicodeDecodeError:
        return _base64(request.content), True


def is_declared(binary: Sequence[str], types: str | None) -> bool:
    """Tell whether the first of a header's types is one of those declared as binary, `image/*` and `*/*` included."""
    kind = re.split("[;,]", types or "")[0].strip().lower()
    return any(one in ("*/*", kind, f"{kind.partition('/')[0]}/*") for one in binary)


def forwarded(request: WebRequest, *, now: float, request_id: str) -> list[tuple[str, str]]:
    """List the headers as a front of AWS passes them on, with what it says itself of who asked."""
    own = {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
    kept = [(name, value) for name, value in request.headers if name.lower() not in own]
    before = [value for name, value in request.headers if name.lower() == "x-forwarded-for"]
    # The id of a trace has eight digits of time and 24 more (AWS X-Ray Developer Guide, "Tracing header").
    digits = hashlib.sha256(request_id.encode()).hexdigest()[:24]
    return [
        *kept,
        ("X-Amzn-Trace-Id", f"Root=1-{int(now):08x}-{digits}"),
        ("X-Forwarded-For", ", ".join([*before, request.source_ip])),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def common_log_time(now: float) -> str:
    """Write a moment as `12/Mar/2020:19:03:58 +0000`, in English whatever the locale."""
    moment = datetime.fromtimestamp(now, UTC)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{moment:%d}/{months[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"


def iso_time(now: float, timespec: str) -> str:
    """Write a moment as ISO 8601 with `Z`."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
