"""Which of JSON and SSE a caller wants (RFC 9110, section 12.5.1)."""

from __future__ import annotations

__all__ = ["is_json", "wants_stream"]

_JSON = "application/json"
_STREAM = "text/event-stream"


def is_json(content_type: str) -> bool:
    """Tell whether a body is declared as JSON."""
    return content_type.partition(";")[0].strip().lower() == _JSON


def wants_stream(accept: str) -> bool | None:
    """Choose by quality, JSON where both are equally welcome; None if neither is."""
    ranges = _ranges(accept or "*/*")
    json, stream = _quality(ranges, _JSON), _quality(ranges, _STREAM)
    if not json and not stream:
        return None
    return stream > json


def _ranges(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [text.partition("=")[2].strip() for text in parameters if text.startswith("q")]
        found[media] = _number(weights[0]) if weights else 1.0
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _quality(ranges: dict[str, float], media: str) -> float:
    # The most specific range counts.
    kind = media.partition("/")[0]
    for name in (media, f"{kind}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
