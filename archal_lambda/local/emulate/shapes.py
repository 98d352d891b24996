"""How the services that are emulated spell a refusal.

This module owns the shape of each. It must not decide what is refused.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["refusal", "spelled"]

_LIMITED, _NOT_BUILT = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_IMPLEMENTED
_NOT_FOUND = HTTPStatus.NOT_FOUND
_GOOGLE = {
    _NOT_FOUND: ("NOT_FOUND", "notFound"),
    _LIMITED: ("RESOURCE_EXHAUSTED", "rateLimitExceeded"),
    _NOT_BUILT: ("UNIMPLEMENTED", "notImplemented"),
}
_SLACK = {_NOT_FOUND: "unknown_method", _LIMITED: "ratelimited", _NOT_BUILT: "unknown_method"}
_LINEAR = {_LIMITED: "RATELIMITED", _NOT_BUILT: "NOT_IMPLEMENTED"}


def refusal(clone: str, status: int, message: str, **more: str) -> Response:
    """Respond in a service's own shape; `more` is for services whose errors say more."""
    content = msgspec.json.encode(spelled(clone, status, message, **more))
    return Response(content, status, media_type="application/json")


def spelled(clone: str, status: int, message: str, **more: str) -> dict[str, object]:
    """Give the body of a refusal."""
    return _SHAPES[clone](status, message) if not more else _stripe(status, message, **more)


def _stripe(status: int, message: str, **more: str) -> dict[str, object]:
    error = {"message": message, "type": "invalid_request_error", **more}
    if status == _LIMITED:
        error["code"] = "rate_limit"
    return {"error": error}


def _slack(status: int, _message: str) -> dict[str, object]:
    return {"ok": False, "error": _SLACK.get(HTTPStatus(status), "internal_error")}


def _linear(status: int, message: str) -> dict[str, object]:
    code = _LINEAR.get(HTTPStatus(status), "INTERNAL_SERVER_ERROR")
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _google(status: int, message: str) -> dict[str, object]:
    word, reason = _GOOGLE.get(HTTPStatus(status), ("INTERNAL", "backendError"))
    detail = {"message": message, "domain": "global", "reason": reason}
    return {"error": {"code": status, "message": message, "errors": [detail], "status": word}}


def _github(status: int, message: str) -> dict[str, object]:
    return {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status),
    }


_SHAPES: dict[str, Callable[[int, str], dict[str, object]]] = {
    "github": _github,
    "google-workspace": _google,
    "linear": _linear,
    "slack": _slack,
    "stripe": _stripe,
}
