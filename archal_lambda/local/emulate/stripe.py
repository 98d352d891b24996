"""What npm's emulate lacks of Stripe: that calls need a key, and that a repeated one is carried out once.

This module owns both, with the words and shapes that Stripe documents (docs.stripe.com/api/authentication, /errors and
/idempotent_requests). It must not know any object of Stripe's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from archal_lambda.local.emulate.shapes import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from archal_lambda.local.server.headers import RawHeaders

__all__ = ["Guard"]

_API = "/v1/"
_KEY = re.compile(r"(?:sk|rk)_[A-Za-z0-9_]+")
_LONGEST = 255  # characters of an Idempotency-Key
_MISSING = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or "
    "we can help at https://support.stripe.com/."
)
# Of these nothing is remembered: the work was not begun, as Stripe says of them.
_NOT_BEGUN = frozenset({400, 401, 404, 409, 429, 501})


@dataclasses.dataclass(slots=True)
class _Made:
    path: str
    parameters: bytes  # a digest
    status: int = 0  # none while it is under way
    headers: RawHeaders = dataclasses.field(default_factory=list["tuple[bytes, bytes]"])
    body: bytes = b""


class Guard:
    """Stands before an application that is Stripe otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._made: dict[tuple[str, str], _Made] = {}  # by account and Idempotency-Key

    def taken(self) -> Mapping[tuple[str, str], object]:
        """Copy what is remembered."""
        return {key: dataclasses.replace(made) for key, made in self._made.items() if made.status}

    def put(self, taken: Mapping[tuple[str, str], object]) -> None:
        """Remember what was taken, and nothing else."""
        self._made = {key: made for key, made in taken.items() if isinstance(made, _Made)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not scope["path"].startswith(_API):  # such as a page of Checkout's
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = _api_key(headers.get(b"authorization", b"").decode("latin-1"))
        if key is None or not _KEY.fullmatch(key):
            words = "Invalid API Key provided" if key else _MISSING
            response = refusal("stripe", 401, words)
            response.headers["www-authenticate"] = 'Bearer realm="Stripe"'
            await response(scope, receive, send)
            return
        name = headers.get(b"idempotency-key", b"").decode("latin-1")
        if not name or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        # A platform's accounts are told apart by a field (docs.stripe.com/connect/authentication).
        account = key.encode() + b" " + headers.get(b"stripe-account", b"")
        await self._once(scope, receive, send, (hashlib.sha256(account).hexdigest(), name))

    async def _once(self, scope: Scope, receive: Receive, send: Send, key: tuple[str, str]) -> None:
        body: bytes = (await receive()).get("body", b"")  # the proxy has all of it
        wanted = _Made(scope["path"], _digest(scope, body))
        made = self._made.get(key)
        if made is not None:
            response = _conflict(key[1], made, wanted)
            if response is not None:
                await response(scope, receive, send)
                return
            await _respond(send, made, (b"idempotent-replayed", b"true"))
            return
        if len(key[1]) > _LONGEST:
            words = f"Idempotency-Key must be at most {_LONGEST} characters long"
            await refusal("stripe", 400, words)(scope, receive, send)
            return
        self._made[key] = wanted
        try:
            await self._carry_out(scope, body, wanted, key[1])
        finally:
            # Before the response goes, because its reader may be back at once. What was cut off, or not begun, may be
            # tried again.
            begun = wanted.status and wanted.status not in _NOT_BEGUN
            if not begun and self._made.get(key) is wanted:
                del self._made[key]
        await _respond(send, wanted)

    async def _carry_out(self, scope: Scope, body: bytes, made: _Made, name: str) -> None:
        # To its end, even if the caller has left: that is when the call comes again.
        request = iter([{"type": "http.request", "body": body, "more_body": False}])
        status, content = 0, bytearray()

        async def receive() -> Message:
            return next(request, None) or await asyncio.get_running_loop().create_future()

        async def keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                made.headers = [*message["headers"], (b"idempotency-key", name.encode("latin-1"))]
            else:
                content.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        made.status, made.body = status, bytes(content)


def _api_key(authorization: str) -> str | None:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _digest(scope: Scope, body: bytes) -> bytes:
    # The order of a form's fields does not matter.
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        pairs = sorted(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        body = repr(pairs).encode()
    return hashlib.sha256(scope["query_string"] + b"\0" + body).digest()


def _conflict(name: str, made: _Made, wanted: _Made) -> Response | None:
    another = f"Try using a key other than '{name}' if you meant to execute a different request."
    if made.path != wanted.path:
        words = (
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{made.path}' vs '{wanted.path}'). {another}"
        )
        return refusal("stripe", 400, words, type="idempotency_error")
    if made.parameters != wanted.parameters:
        words = (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"{another}"
        )
        return refusal("stripe", 400, words, type="idempotency_error")
    if not made.status:
        words = "There is currently another in-progress request using this Idempotent Key."
        return refusal(
            "stripe", 409, words, type="idempotency_error", code="idempotency_key_in_use"
        )
    return None


async def _respond(send: Send, made: _Made, *more: tuple[bytes, bytes]) -> None:
    headers = [*made.headers, *more]
    await send({"type": "http.response.start", "status": made.status, "headers": headers})
    await send({"type": "http.response.body", "body": made.body})
