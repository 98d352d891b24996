"""Who turned a call down: what the body and the headers of a failed response tell.

This module owns that judgement, which `Response.rejected_by` explains. It must not know responses; what it is given is
theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from archal_lambda.core.error_bodies import Body
from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import guarded

__all__ = ["is_rate_limit", "rejected_by"]

# The names of Archal's error envelope (`ErrorResponse`, Archal OpenAPI 0.3.0), all optional strings.
_ENVELOPE = ("error", "code", "message", "detail")
# What Archal's own vocabulary adds to them.
_ARCHAL_KEYS = frozenset({"sessionId", "session_id", "cloneId", "clone_id"})
_ARCHAL_WORDS = lazy(
    # A name that contains "archal" is not Archal's: users call their things after it.
    r"(?<![\w-])archal(?:[ _](?:route|session|token|workspace|account|api)|(?=[.,:]?(?: |\Z)))(?![\w-])"
    r"|x-route-|\broute[ _-](?:auth|token|header)|\bworkspace_key_|\bclone_(?:not_found|failed)\b",
    re.IGNORECASE,
)
# Statuses that Archal documents, and those of a gateway; at 401 and 403 the clone has not been asked.
_REFUSED = {401: "unauthorized", 403: "forbidden"}
_OF_THE_ROUTE = _REFUSED.keys() | {404, 410, 413, 426, 429, 502, 503, 504}
_UNAUTHORIZED = 401
# Keys beside the four that one service or framework sends: GitHub, hapi and Supabase Storage, OAuth (RFC 6749),
# PostgREST, Slack, Supabase Auth, Telegram, Jira, HubSpot, Webflow, ClickUp, problem details (RFC 9457), Spring.
_SERVICE_KEYS = frozenset(
    {
        "ECODE",
        "category",
        "causes",
        "correlationId",
        "documentation_url",
        "error_code",
        "error_description",
        "error_uri",
        "errorMessages",
        "errors",
        "exception",
        "externalReference",
        "hint",
        "instance",
        "msg",
        "ok",
        "response_metadata",
        "statusCode",
        "status-code",
        "title",
    }
)
# Keys that many send, so that they only cast doubt.
_DOUBTFUL_KEYS = frozenset(
    {"data", "description", "details", "messages", "path", "scope", "status", "success"}
    | {"timestamp", "type"}
)
# RFC 6749, sections 4.1.2.1 and 5.2, and RFC 6750, section 3.1.
_OAUTH = frozenset(
    {
        "access_denied",
        "insufficient_scope",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_token",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
_SERVICE_HEADERS = lazy(
    r"x-(?:github|gitlab|slack|oauth|accepted-oauth|stripe|discord|sentry|supabase|sb|goog|linear|hubspot)-.*"
    r"|(?:stripe|sb|gitlab|atl|sentry)-.*|x-(?:arequestid|aaccountid|seraph-loginreason|complexity)"
    r"|x-ratelimit-(?:resource|bucket|scope|global|complexity-.*|requests-.*)"
)
_STRIPE_REQUEST = lazy(r"req_\w+")
_ARCHAL_HEADERS = ("x-archal-", "x-route-")
_REALM = lazy(r'realm="?([^",]*)', re.IGNORECASE)
_SLUG = lazy(r"[a-z][a-z0-9_]*")
_RATE_LIMIT = lazy(r"(?:secondary|API) rate limit|abuse detection", re.IGNORECASE)


@guarded
def rejected_by(
    status: int, headers: Mapping[str, str], body: Body, *, credential: bool | None
) -> str | None:
    """Judge who refused: see `Response.rejected_by`.

    `credential` says whether a service credential went along; None where nobody knows.
    """
    who = _named_by_headers(headers)
    if who == "clone" or isinstance(body, list):
        return "clone"
    if not body:
        return None
    given = {name: body[name] for name in _ENVELOPE if name in body}
    others = body.keys() - given.keys()
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    for_clone = (
        not given
        or len(texts) < len(given)
        or bool(others & _SERVICE_KEYS)
        or any(re.match(rf"{status}\b", text) for text in texts.values())  # GitLab: "404 Not Found"
    )
    for_route = (
        who == "route"
        or bool(others & _ARCHAL_KEYS)
        or any(_ARCHAL_WORDS.search(text) for text in texts.values())
        or _is_envelope(status, texts, bare=not others - _SERVICE_KEYS, credential=credential)
    )
    if for_clone:
        # The envelope may have further fields, and so those of a service.
        return None if for_route else "clone"
    doubtful = status not in _OF_THE_ROUTE or who == "unclear" or others & _DOUBTFUL_KEYS
    return "route" if for_route and not doubtful else None


def _named_by_headers(headers: Mapping[str, str]) -> str:
    """Give "clone", "route", "unclear" for a challenge that names nobody, or nothing."""
    for name in headers:
        if _SERVICE_HEADERS.fullmatch(name):
            return "clone"
    if _STRIPE_REQUEST.fullmatch(headers.get("request-id", "")):
        return "clone"
    # What is challenged is `Authorization`, which is the service's; the route has a header of its own.
    challenge = headers.get("www-authenticate")
    if challenge is not None:
        realm = _REALM.search(challenge)
        if realm is None:
            return "unclear"
        return "route" if "archal" in realm[1].lower() else "clone"
    return "route" if any(name.startswith(_ARCHAL_HEADERS) for name in headers) else ""


def _is_envelope(
    status: int, given: dict[str, str], *, bare: bool, credential: bool | None
) -> bool:
    """Tell whether the four names alone make it Archal's."""
    error, code = given.get("error", ""), given.get("code")
    if not _SLUG.fullmatch(error) or error in _OAUTH or len(given) == 1:
        return False
    if code is not None:
        whole = bare and len(given) > 2  # noqa: PLR2004 - a code, a name for it, and words
        return _SLUG.fullmatch(code) is not None and (whole or status in _REFUSED)
    if status not in _REFUSED:
        return False
    # A clone refuses with 401 who comes without a credential; any credential does (Archal docs, direct-api-access).
    return error == _REFUSED[status] or status != _UNAUTHORIZED or credential is not False


@guarded
def is_rate_limit(headers: Mapping[str, str], message: str) -> bool:
    """Tell whether a 403 is a rate limit (GitHub's documentation, "Rate limits for the REST API")."""
    spent = headers.get("x-ratelimit-remaining", "").strip() == "0"
    return spent or _RATE_LIMIT.search(message) is not None
