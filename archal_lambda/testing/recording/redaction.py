"""What of an exchange is recorded: no more than a replay needs, and no secret.

This module owns the headers that are recorded, and which of a request's headers have secrets. It must not write
anything.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote, unquote

import msgspec

from archal_lambda import errors
from archal_lambda.core.headers import Headers
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.errors import TransportError
from archal_lambda.testing.addresses import Addresses
from archal_lambda.testing.recording.bodies import message_id, recorded_body, recorded_pairs
from archal_lambda.testing.recording.form import Answered, Asked, Exchange, Failed
from archal_lambda.testing.recording.names import Names
from archal_lambda.testing.shown import Hider, credentials

__all__ = ["Redaction", "reads_a_secret"]

_CARRIES = re.compile(r"auth|token|secret|cookie|key|signature|password|credential|^x-route-")
_KEPT = frozenset(
    {
        "allow",
        "content-disposition",
        "content-language",
        "content-type",
        "etag",
        "idempotent-replayed",
        "link",
        "location",
        "stripe-should-retry",
        "stripe-version",
        "x-accepted-github-permissions",
        "x-accepted-oauth-scopes",
        "x-github-api-version-selected",
        "x-github-media-type",
        "x-oauth-scopes",
        "x-slack-failure",
        "x-total-count",
    }
)
# The moment when a limit begins anew is another each time; what a caller has to wait is kept as `Retry-After`.
_LIMIT = re.compile(r"x-ratelimit-(?!reset)[a-z-]+")
# Whose presence tells who answered, or has to be given back; what they say is another each time, and may be a secret.
_TELLING = re.compile(r"x-request-id|x-github-request-id|x-slack-req-id|cf-ray|mcp-session-id")
_ARCHAL = re.compile(r"x-(?:archal|route)-[a-z-]+")
_WORDS = re.compile(r"[a-z]{1,20}(?:-[a-z]{1,20}){0,3}")
_CHALLENGE = re.compile(r'([A-Za-z]{1,20}) (?:.*?,\s*)?realm="([^"]{0,100})"')
_SESSION_PATH = re.compile(r"/api/sessions(?:/([^/]+))?")
_EXTENSION = "x-aws-parameters-secrets-token"
_MAX_SECRETS = 500  # the last ones seen


def reads_a_secret(request: Request) -> bool:
    """Tell whether a request asks AWS's extension for Archal's token; it is neither recorded nor compared."""
    return _EXTENSION in request.headers


class Redaction:
    """Knows the names and secrets of one run; safe to use from any thread."""

    def __init__(self, clone_urls: Mapping[str, str] | None) -> None:
        self.names = Names()
        self._addresses = Addresses(clone_urls or {})
        self._lock = threading.Lock()
        self._secrets: dict[str, None] = {}

    def asked(self, request: Request) -> Asked:
        """Write a request down."""
        hider = self._hider(_carried(request.headers))
        place = self._addresses.place_of(request)
        path = request.path
        if place.clone:
            self.names.runtime(place.root)
        else:
            path = _path_of(place.root) + path
            found = _SESSION_PATH.match(request.path)
            if found is not None:
                self.names.control(place.root)
                path = request.path
                if found[1]:
                    self.names.session(unquote(found[1]))
        kind = request.headers.get("content-type", "")
        headers = {"content-type": kind, "accept": request.headers.get("accept", "")}
        return Asked(
            method=request.method,
            clone=place.clone,
            path=self._path(path, hider),
            query=recorded_pairs(request.query, hider, self.names),
            headers={
                name: self._plain(_media_types(value), hider)
                for name, value in headers.items()
                if value
            },
            body=recorded_body(
                request.content, kind, hider, self.names, number=message_id(request.content)
            ),
        )

    def answered(self, request: Request, asked: Asked, response: Response) -> Exchange:
        """Write a response down."""
        hider = self._hider(_carried(response.headers))
        kind = response.headers.get("content-type", "")
        if not asked.clone:
            self._learn_sessions(response.content)
        number = message_id(request.content)
        headers = [
            (name, self._plain(value, hider))
            for name, raw in ((name.lower(), raw) for name, raw in response.headers.pairs)
            if (value := _kept(name, raw)) is not None
        ]
        seconds = response.retry_after
        if seconds is not None:
            headers.append(("retry-after", str(math.ceil(seconds))))
        body = recorded_body(response.content, kind, hider, self.names, number=number)
        return Exchange(asked, Answered(response.status_code, headers, body))

    def failed(self, asked: Asked, error: TransportError) -> Exchange:
        """Write a failure down."""
        hider = self._hider(())
        known = next(one.__name__ for one in type(error).__mro__ if one.__name__ in errors.__all__)
        facts = {name: getattr(error, name, None) for name in ("phase", "status_code", "limit")}
        reason = self._plain(str(error.args[0]) if error.args else "", hider)
        return Exchange(asked, error=Failed(known, reason, error.sent, **facts))

    def _hider(self, carried: Iterable[str]) -> Hider:
        with self._lock:
            for secret in carried:
                self._secrets.pop(secret, None)
                self._secrets[secret] = None
            while len(self._secrets) > _MAX_SECRETS:
                del self._secrets[next(iter(self._secrets))]
            return Hider(self._secrets)

    def _plain(self, text: str, hider: Hider) -> str:
        return self.names.hide(hider.plain(text))

    def _path(self, path: str, hider: Hider) -> str:
        """Give a path without secrets, also where it is written in escapes."""
        parts: list[str] = []
        for part in path.split("/"):
            plain = unquote(part)
            shown = self._plain(plain, hider)
            parts.append(part if shown == plain else quote(shown, safe="[]{}"))
        return self._plain("/".join(parts), hider)

    def _learn_sessions(self, content: bytes) -> None:
        """Learn the sessions that the control plane tells of, and the addresses of their clones."""
        with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            left: list[object] = [msgspec.json.decode(content)]
            while left:
                one = left.pop(0)
                if isinstance(one, list):
                    left.extend(cast("list[object]", one))
                elif isinstance(one, dict):
                    self._learn_session(cast("dict[str, Any]", one))
                    left.extend(cast("dict[str, Any]", one).values())

    def _learn_session(self, told: dict[str, Any]) -> None:
        session_id = told.get("sessionId")
        if not isinstance(session_id, str):
            return
        self.names.session(session_id)
        for urls in (told.get("apiBaseUrls"), told.get("endpoints"), told.get("mcp")):
            pairs = cast("dict[str, Any]", urls).items() if isinstance(urls, dict) else ()
            for clone, url in pairs:
                if isinstance(url, str):
                    root, slash, _ = url.partition(f"/{clone}/")
                    self.names.runtime(root if slash else url.rstrip("/"))


def _path_of(root: str) -> str:
    """Give the path of a base URL."""
    return "".join(root.partition("://")[2].partition("/")[1:])


def _carried(headers: Headers) -> list[str]:
    """List the secrets of header fields."""
    fields: list[tuple[bytes, bytes]] = []
    for name, value in headers.pairs:
        low = name.lower()
        if low in {"cookie", "set-cookie"}:
            # Of what a server sets, the attributes are no secrets.
            pair = value.partition(";")[0] if low == "set-cookie" else value
            fields.append((b"cookie", pair.encode("latin-1", "replace")))
        elif (_CARRIES.search(low) and low != "www-authenticate") or low == "mcp-session-id":
            fields.append((b"authorization", value.encode("latin-1", "replace")))
    return credentials(fields)


def _kept(name: str, value: str) -> str | None:
    """Give what is recorded of a response's header field, if anything."""
    if name in _KEPT or _LIMIT.fullmatch(name):
        return value
    if _TELLING.fullmatch(name):
        return "recorded"
    if name == "request-id":
        return "req_recorded"  # Stripe's form, which tells that it is Stripe's
    if _ARCHAL.fullmatch(name):
        return value if _WORDS.fullmatch(value) else "recorded"
    if name == "www-authenticate":
        found = _CHALLENGE.match(value)
        return f'{found[1]} realm="{found[2]}"' if found else None
    return None


def _media_types(value: str) -> str:
    """Leave out what is drawn anew for each request."""
    return re.sub(r";\s*boundary=[^;,]*", "", value)
