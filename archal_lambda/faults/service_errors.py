"""How services, and Archal itself, word a failure: status, headers and body.

This module owns those shapes, each with its source. It must not decide who fails, nor when. The words are made up where
a service documents a shape and no words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

__all__ = ["ServiceError", "archal_error", "service_error", "token_revoked"]

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429
_SERVER = 500
# RFC 9110, section 15, RFC 6585 and RFC 4918; a status that is missing here has the name of its class.
_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    423: "Locked",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_ID = "fa017000fa017000"  # of a request that a service never had


class ServiceError(NamedTuple):
    """A complete response, but for its framing."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes


def service_error(clone: str, status: int, retry_after: int | None = None) -> ServiceError:
    """Word a failure as the service does of which this is the clone; one it does not know gets `message` alone."""
    make = _SHAPES.get(clone, _any)
    return _made(clone, status, make(status, retry_after), retry_after)


def token_revoked(clone: str) -> ServiceError:
    """Word that the credential does not count any longer."""
    if clone == "slack":
        # docs.slack.dev, "Using the Slack Web API": failures have status 200; `token_revoked` is in each method's list.
        return _made(clone, 200, {"ok": False, "error": "token_revoked"})
    return service_error(clone, _UNAUTHORIZED)


def archal_error(status: int, code: str, message: str) -> ServiceError:
    """Word a refusal by Archal itself, in `ErrorResponse` (Archal OpenAPI 0.3.0)."""
    headers: tuple[tuple[str, str], ...] = ()
    if status == _UNAUTHORIZED:
        headers = (("www-authenticate", 'Bearer realm="archal"'),)  # RFC 9110, section 11.6.1
    body = {"error": _phrase(status).lower().replace(" ", "_"), "code": code, "message": message}
    return ServiceError(status, (_JSON, *headers), msgspec.json.encode(body))


_JSON = ("content-type", "application/json")
# A header that each service sends with every response, by which callers tell it from a proxy.
_MARKS = {
    "discord": ("x-ratelimit-bucket", _ID),
    "github": ("x-github-request-id", _ID.upper()),
    "jira": ("atl-traceid", _ID * 2),
    "linear": ("x-complexity", "1"),
    "slack": ("x-slack-req-id", _ID * 2),
    "stripe": ("request-id", f"req_{_ID}"),
}


def _made(
    clone: str, status: int, body: dict[str, Any], retry_after: int | None = None
) -> ServiceError:
    headers: list[tuple[str, str]] = [_JSON]
    if clone in _MARKS:
        headers.append(_MARKS[clone])
    if clone == "discord" and status == _TOO_MANY:
        headers.append(("x-ratelimit-scope", "user"))
    if retry_after is not None:
        headers.append(("retry-after", str(retry_after)))
    return ServiceError(status, tuple(headers), msgspec.json.encode(body))


def _phrase(status: int) -> str:
    return _PHRASES.get(status, "Bad Request" if status < _SERVER else "Internal Server Error")


def _any(status: int, _retry_after: int | None) -> dict[str, Any]:
    return {"message": _phrase(status)}


def _github(status: int, retry_after: int | None) -> dict[str, Any]:
    # docs.github.com, "Troubleshooting the REST API" and "Rate limits for the REST API": both limits are 403 or 429,
    # the secondary one has `retry-after`; 5xx are "Server Error" in the service's own responses.
    docs, limits = "https://docs.github.com/rest", "/overview/rate-limits-for-the-rest-api"
    message = {_UNAUTHORIZED: "Bad credentials"}.get(status, _phrase(status))
    if status == _TOO_MANY or (status == _FORBIDDEN and retry_after is not None):
        docs += f"{limits}#about-secondary-rate-limits"
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    elif status == _FORBIDDEN:
        message = "Resource not accessible by personal access token"
    elif status >= _SERVER:
        message = "Server Error"
    return {"message": message, "documentation_url": docs, "status": str(status)}


def _slack(status: int, _retry_after: int | None) -> dict[str, Any]:
    # docs.slack.dev, "Rate limits" (429, Retry-After, `ratelimited`), and the errors that each method lists.
    words = {
        _UNAUTHORIZED: "invalid_auth",
        _FORBIDDEN: "access_denied",
        _TOO_MANY: "ratelimited",
        503: "service_unavailable",
    }
    other = "internal_error" if status >= _SERVER else "invalid_arguments"
    return {"ok": False, "error": words.get(status, other)}


def _stripe(status: int, _retry_after: int | None) -> dict[str, Any]:
    # docs.stripe.com/api/errors and /error-codes: `type`, `code`, `message` below `error`.
    error: dict[str, Any] = {"type": "invalid_request_error", "message": _phrase(status)}
    if status == _UNAUTHORIZED:
        error |= {"code": "api_key_expired", "message": "Expired API Key provided"}
    elif status == _TOO_MANY:
        error |= {"code": "rate_limit", "message": "Request rate limit exceeded."}
    elif status == 402:  # noqa: PLR2004 - the one status that is for cards
        error |= {"type": "card_error", "code": "card_declined"}
        error["message"] = "Your card was declined."
    elif status >= _SERVER:
        error |= {"type": "api_error", "message": "An unknown error occurred"}
    return {"error": error}


def _discord(status: int, retry_after: int | None) -> dict[str, Any]:
    # docs.discord.com, "Rate Limits" (message, retry_after, global) and "Opcodes and Status Codes" (code 0: general).
    if status == _TOO_MANY:
        seconds = float(retry_after or 0)
        return {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
    if status == _FORBIDDEN:
        return {"message": "Missing Access", "code": 50001}
    return {"message": f"{status}: {_phrase(status)}", "code": 0}


def _google(status: int, _retry_after: int | None) -> dict[str, Any]:
    # cloud.google.com/apis/design/errors: `code`, `message` and `status` below `error`; the older APIs list `errors`.
    words = {
        400: ("INVALID_ARGUMENT", "badRequest"),
        _UNAUTHORIZED: ("UNAUTHENTICATED", "authError"),
        _FORBIDDEN: ("PERMISSION_DENIED", "forbidden"),
        404: ("NOT_FOUND", "notFound"),
        409: ("ALREADY_EXISTS", "duplicate"),
        _TOO_MANY: ("RESOURCE_EXHAUSTED", "rateLimitExceeded"),
        501: ("UNIMPLEMENTED", "notImplemented"),
        503: ("UNAVAILABLE", "backendError"),
        504: ("DEADLINE_EXCEEDED", "backendError"),
    }
    other = ("INTERNAL", "backendError") if status >= _SERVER else words[400]
    word, reason = words.get(status, other)
    message = _phrase(status) if status != _UNAUTHORIZED else "Invalid Credentials"
    detail = {"message": message, "domain": "global", "reason": reason}
    return {"error": {"code": status, "message": message, "errors": [detail], "status": word}}


def _jira(status: int, _retry_after: int | None) -> dict[str, Any]:
    # developer.atlassian.com, "The Jira Cloud platform REST API", `ErrorCollection`.
    words = {
        _UNAUTHORIZED: "Client must be authenticated to access this resource.",
        _TOO_MANY: "Rate limit exceeded.",
    }
    return {"errorMessages": [words.get(status, _phrase(status))], "errors": {}}


def _linear(status: int, _retry_after: int | None) -> dict[str, Any]:
    # linear.app/developers, "Rate limiting" (`extensions.code` RATELIMITED) and "SDK errors" (`extensions.type`).
    kinds = {
        _UNAUTHORIZED: ("authentication error", "AUTHENTICATION_ERROR"),
        _FORBIDDEN: ("forbidden", "FORBIDDEN"),
        _TOO_MANY: ("ratelimited", "RATELIMITED"),
    }
    other = ("internal error", "INTERNAL_SERVER_ERROR")
    if status < _SERVER:
        other = ("invalid input", "INPUT_ERROR")
    kind, code = kinds.get(status, other)
    extensions = {"type": kind, "code": code, "statusCode": status, "userError": status < _SERVER}
    return {"errors": [{"message": _phrase(status), "extensions": extensions}]}


_SHAPES: dict[str, Callable[[int, int | None], dict[str, Any]]] = {
    "discord": _discord,
    "github": _github,
    "google-workspace": _google,
    "jira": _jira,
    "linear": _linear,
    "slack": _slack,
    "stripe": _stripe,
}
