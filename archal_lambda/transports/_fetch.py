"""The asynchronous transport of Pyodide and Cloudflare Python Workers: the host's own `fetch`.

This module owns one exchange over `fetch` and the mapping of every failure to our errors. It loads on those hosts
only, and must not load urllib3. Names, TLS, pooling and HTTP itself are the host's business.

What `fetch` keeps from us: how a connection comes about, so that `Timeout.connect` has no effect of its own; whether
anything was sent before a failure, so that `.sent` is True unless the host says that it could not connect; why it
refuses a response or a certificate, unless it gives a code, as Node does. Without one, the connection counts as lost.
"""

from __future__ import annotations

import math
import re
from typing import Any

import js
from pyodide.ffi import JsException, to_js

from archal_lambda.core.bodies import BodyReader
from archal_lambda.core.headers import Headers, with_token_names
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import (
    CertificateError,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    Phase,
    ProtocolError,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)

__all__ = ["FetchTransport"]

_BODILESS = frozenset({"GET", "HEAD"})  # fetch refuses to send a body with these
_FRAMING = frozenset({"content-length"})  # fetch works it out itself, and refuses to be told
_STOPPED = frozenset({"TimeoutError", "AbortError"})
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,39}")
# Causes that Node gives; other hosts give none. With these no connection was made, so that nothing can have been sent.
_UNCONNECTED = frozenset(
    {
        "EAI_AGAIN",
        "ECONNREFUSED",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "ENOTFOUND",
        "UND_ERR_CONNECT_TIMEOUT",
    }
)
# What Node's TLS says of a certificate; not what the peer says of ours, which begins with ERR_SSL_.
_CERTIFICATE = re.compile(
    r"(?!ERR_SSL_)\w*(CERT|CRL)\w*|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|"
    r"UNABLE_TO_(DECODE_ISSUER_PUBLIC_KEY|VERIFY_LEAF_SIGNATURE)"
)
# What Node's parser and zlib say of a response they refuse; not of one that ends early.
_REFUSED = re.compile(r"HPE_(?!INVALID_EOF_STATE)\w+|UND_ERR_HEADERS_OVERFLOW|Z_DATA_ERROR")
_REPLY_SECONDS = 1.0  # for what is sent while a response comes, which nobody reads meanwhile
_LONGEST = 2**31 - 1  # milliseconds a JavaScript timer can wait


class FetchTransport:
    """Sends requests with `fetch`, each under one deadline for headers and body. TLS and its CAs are the host's."""

    def __init__(
        self, *, ca_file: str | None = None, max_response_bytes: int = MAX_RESPONSE_BYTES
    ) -> None:
        if ca_file is not None:
            raise ConfigurationError("SSL_CERT_FILE", "cannot be used here: TLS is the host's own")
        self._max_bytes = max_response_bytes

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response. A call that is cancelled or fails is aborted.

        A request that `fetch` cannot send, such as a GET with a body, is a `ValueError`.
        """
        call = _Call(request, deadline, timeout.read)
        try:
            with _Limit(deadline.remaining(), call.controller):
                return await call.run(self._max_bytes)
        except JsException as error:
            raise call.failure(error) from None
        finally:
            call.abort()

    async def aclose(self) -> None:
        """Do nothing: connections are the host's."""


class _Call:
    """One exchange; what it has of JavaScript, it keeps to the end, because signals are collected early."""

    def __init__(self, request: Request, deadline: Deadline, read_limit: float | None) -> None:
        self._request = request
        self._deadline = deadline
        self._read_limit = read_limit
        self._phase: Phase = "headers"
        self._status: int | None = None
        self.controller = js.AbortController.new()
        self._fetchable = _fetchable(request, self.controller.signal)

    async def run(self, limit: int) -> Response:
        """Carry the exchange through."""
        with _Limit(self._read_limit, self.controller):
            response = await js.fetch(self._fetchable)
        self._phase = "body"
        if not response.status:  # what a browser makes of a redirect
            raise self._refused("the host hides redirects")
        self._status = int(response.status)
        fields = js.Array.from_(response.headers.entries()).to_py()
        headers = Headers.of(with_token_names((name, value) for name, value in fields))
        reading = self._request.reading
        looks = None if reading is None else reading.begin(self._status, headers)
        content = await self._read(response, limit, looks)
        return Response(self._status, headers=headers, content=content, request=self._request)

    def abort(self) -> None:
        """Let go of the connection, unless the exchange is over."""
        self.controller.abort()

    def failure(self, error: JsException) -> TransportError:
        """Say what an error of JavaScript means; its message may quote anything, and is not shown."""
        facts: dict[str, Any] = {"method": self._request.method, "url": self._request.url}
        if error.name in _STOPPED:
            return RequestTimeout(
                f"timed out ({self._phase})", phase=self._phase, sent=True, **facts
            )
        code = _code(error)
        if self._phase == "headers":
            if code in _UNCONNECTED:
                return ConnectError(f"no connection: {code}", sent=False, **facts)
            if _CERTIFICATE.fullmatch(code):
                reason = f"no connection: certificate not accepted: {code}"
                return CertificateError(reason, sent=False, **facts)
        if _REFUSED.fullmatch(code):
            return self._refused(code)
        reason = f"connection lost: {code or 'the host gives no reason'}"
        return ConnectionLost(reason, sent=True, **facts)

    async def _read(self, response: Any, limit: int, looks: BodyReader | None) -> bytes:  # noqa: ANN401 - a Response of JavaScript
        if not response.body:
            return b""
        length = response.headers.get("content-length") or ""
        coded = response.headers.get("content-encoding")
        if self._request.method != "HEAD" and not coded and str(length).isdigit():
            self._check(int(length), limit)
        reader = response.body.getReader()
        pieces: list[bytes] = []
        size, heard = 0, True
        while True:
            with _Limit(self._read_limit, self.controller):
                piece = await reader.read()
            if piece.done:
                return b"".join(pieces)
            data: bytes = piece.value.to_bytes()
            size += len(data)
            self._check(size, limit)
            pieces.append(data)
            if looks is None:
                continue
            replies = looks.feed(data)
            if looks.over:
                return b"".join(pieces)
            for content in replies:
                if not (heard and await self._answer(content)):
                    heard = (
                        False  # who does not take a reply does not get another: reading comes first
                    )
                    break

    async def _answer(self, content: bytes) -> bool:
        """Send what a reader of the response asks for, while the response is still coming; tell whether it went."""
        controller = js.AbortController.new()
        fetchable = _fetchable(self._request.answering(content), controller.signal)
        try:
            with _Limit(self._deadline.within(_REPLY_SECONDS).remaining(), controller):
                await js.fetch(fetchable)
        except JsException:
            return False  # the call itself goes on
        finally:
            controller.abort()
        return True

    def _check(self, size: int, limit: int) -> None:
        if size > limit:
            raise ResponseTooLarge(
                limit=limit, method=self._request.method, url=self._request.url, sent=True
            )

    def _refused(self, reason: str) -> ProtocolError:
        return ProtocolError(
            f"response refused: {reason}",
            status_code=self._status,
            method=self._request.method,
            url=self._request.url,
            sent=True,
        )


class _Limit:
    """Aborts a call, through its `AbortController`, if a wait takes longer than so many seconds.

    `AbortSignal.timeout` and not a timer of the event loop: those keep a process alive after the call. Not
    `AbortSignal.any` either, which does not hold on to the signals it is made of: they are collected, and never fire.
    """

    def __init__(self, limit: float | None, controller: Any) -> None:  # noqa: ANN401 - of JavaScript
        self._signal: Any = None
        if limit is not None:
            self._signal = js.AbortSignal.timeout(_milliseconds(limit))
            # The reason comes first, so that the event is not taken for it: what is not an Error cannot be raised.
            self._signal.onabort = controller.abort.bind(controller, None)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._signal is not None:
            self._signal.onabort = None


def _fetchable(request: Request, signal: Any) -> Any:  # noqa: ANN401 - of JavaScript, both
    # Made apart from the call, because a bad argument and a broken network are errors of the same kind.
    if request.base is None:
        raise TypeError("the request has no base URL")
    if request.content and request.method in _BODILESS:
        raise ValueError(f"fetch cannot send a {request.method} with a body")
    try:
        return _js_request(request, signal)
    except JsException:
        raise ValueError("fetch refuses the address or a header of the request") from None


def _js_request(request: Request, signal: Any) -> Any:  # noqa: ANN401 - of JavaScript, both
    options: dict[str, Any] = {
        "method": request.method,
        "headers": [
            list(pair) for pair in request.headers.pairs if pair[0].lower() not in _FRAMING
        ],
        "redirect": "manual",
        "signal": signal,
    }
    if request.content:
        options["body"] = request.content
    base = request.base
    origin = "" if base is None else base.origin
    converted = to_js(options, dict_converter=js.Object.fromEntries)
    return js.Request.new(origin + request.target, converted)


def _milliseconds(seconds: float) -> int:
    return min(max(1, math.ceil(seconds * 1000)), _LONGEST)


def _code(error: JsException) -> str:
    cause = getattr(error, "cause", None)
    code = getattr(cause, "code", None)
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""
