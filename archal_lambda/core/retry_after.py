"""How long a server asks to wait.

This module owns the reading of `Retry-After` and of spent rate limits. It must not know a clock: all dates are the
server's, because the clock of this machine may tell another time.
"""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime

from archal_lambda.core.headers import Headers

__all__ = ["seconds_to_wait"]

_LIMITED = frozenset({403, 429})
# A moment in seconds since 1970, in this century; what others send under this name is a span or in milliseconds.
_MOMENT = re.compile(r"[0-9]{10}")


def seconds_to_wait(status_code: int, headers: Headers) -> float | None:
    """Read what `Response.retry_after` tells."""
    value, date = headers.get("retry-after", "").strip(), headers.get("date", "")
    if value.isascii() and value.isdigit():
        return float(value)
    if value:
        return _seconds_between(date, value)
    reset = headers.get("x-ratelimit-reset", "").strip()
    spent = headers.get("x-ratelimit-remaining", "").strip() == "0"
    if spent and status_code in _LIMITED and _MOMENT.fullmatch(reset):
        return _seconds_between(date, formatdate(int(reset), usegmt=True))
    return None


def _seconds_between(start: str, end: str) -> float | None:
    try:
        seconds = (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(seconds, 0.0)
