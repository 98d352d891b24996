"""Requests as values.

This module owns what a call may hold. It must not send anything.
"""
# Annotations are evaluated here, so that the hints of public values resolve wherever they are asked for.

from typing import Any, Self, TypedDict

import msgspec

from archal_lambda._version import __version__
from archal_lambda.core.headers import (
    HeaderInput,
    Headers,
    check_header,
    check_headers,
)
from archal_lambda.core.json import encode_finite
from archal_lambda.core.secrets import Secret, guarded
from archal_lambda.core.timeouts import Timeout
from archal_lambda.core.url import BaseUrl, ParamsInput, check_target, encode_form, encode_params
from archal_lambda.core.values import Immutable

__all__ = ["CallOptions", "Request"]

# RFC 9110, section 9.2.2. TRACE is left out: clients do not send it.
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_METHODS = _IDEMPOTENT | {"POST", "PATCH"}
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})
_USER_AGENT = f"archal-lambda/{__version__}"


class CallOptions(TypedDict, total=False):
    """The keyword arguments of a call; `Request` says what each means."""

    params: ParamsInput | None
    json: object
    form: ParamsInput | None
    content: bytes | str | None
    headers: HeaderInput | None
    token: str | Secret | None
    timeout: float | Timeout
    follow: bool


class _RequestDraft:
    __slots__ = ("base", "content", "follow", "headers", "method", "path", "query", "timeout")


class Request(Immutable, _RequestDraft, init=False):
    """One HTTP request, validated when it is made, and unchanged from then on.

    Args:
        method: DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT, in any case.
        path: Path relative to a base URL, with an optional query.
        params: Query parameters, added to those in `path`. A list repeats its key; None is left out.
        json: Body: anything msgspec encodes, sent as `application/json`.
        form: Body: fields, sent as `application/x-www-form-urlencoded`. A list repeats its key; a mapping, and a list
            that contains one or another list, is written as `metadata[key]` and `items[0][price]`. None is left out,
            and so is what is empty.
        content: Body: bytes or text as they are.
        headers: Further headers.
        token: The service credential the clone sees, sent as `Authorization: Bearer …`.
        timeout: Seconds for the whole call, or a `Timeout`; left out, the client's. Never None: no call is
            unlimited.
        follow: Whether a clone's redirects are followed, at most 5: to the same origin below the same base only, all
            under the one deadline. 307 and 308 repeat the request, 301, 302 and 303 a GET or HEAD. Any other redirect
            is the response.

    Raises:
        ValueError: If the method, path, timeout or a header is not allowed, more than one body is given, `token`
            comes with an `Authorization` header, a text contains a lone surrogate, or a number is NaN or infinite.
        TypeError: If an argument has a type that cannot be sent.
    """

    __module__ = "archal_lambda"
    __slots__ = ()

    method: str
    path: str
    query: str
    headers: Headers
    content: bytes
    timeout: Timeout | None
    follow: bool
    base: BaseUrl | None

    @guarded
    def __new__(  # noqa: PLR0913 - the parts of a request, each by name
        cls,
        method: str,
        path: str,
        *,
        params: ParamsInput | None = None,
        json: object = None,
        form: ParamsInput | None = None,
        content: bytes | str | None = None,
        headers: HeaderInput | None = None,
        token: str | Secret | None = None,
        timeout: float | Timeout | msgspec.UnsetType = msgspec.UNSET,
        follow: bool = False,
    ) -> Self:
        """Validate the parts."""
        given: tuple[Any, Any] = method, path  # users err
        if not (isinstance(given[0], str) and isinstance(given[1], str)):
            raise TypeError("method and path must be strings")
        draft: Any = _RequestDraft()
        draft.base = None
        draft.method = method if method in _METHODS else method.upper()
        if draft.method not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(sorted(_METHODS))}")
        draft.timeout = None if timeout is msgspec.UNSET else Timeout.of(timeout)
        if not isinstance(follow, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("follow must be True or False")
        draft.follow = follow
        try:
            draft.path, query = check_target(path)
            if params is not None:
                more = encode_params(params)
                query = f"{query}&{more}" if query and more else query or more
            draft.query = query
            draft.content, content_type = _body(json, form, content)
            draft.headers = _complete(check_headers(headers), token, content_type)
        except UnicodeEncodeError:
            reason = "a lone surrogate in the path, parameters or body cannot be sent"
            raise ValueError(reason) from None  # the other error holds the whole text
        draft.__class__ = cls  # as `seal` does, which would take a call more
        return draft  # type: ignore[no-any-return]

    @property
    def url(self) -> str:
        """The address without query: absolute once the request has a base, else the path."""
        base = self.base
        return self.path if base is None else f"{base.origin}{base.path}{self.path}"

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line (RFC 9112, section 3.2.1)."""
        path = self.base.path + self.path if self.base is not None else self.path
        return f"{path}?{self.query}" if self.query else path

    @property
    def idempotent(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method in _IDEMPOTENT or "idempotency-key" in self.headers

    def prepared(self, base: BaseUrl, headers: Headers) -> "Request":
        """Copy the request as one to send: with its base and all its headers, framing aside.

        Those of the settings, such as the route's, go before the caller's; one that both give is a `ValueError`.
        """
        own, theirs = self.headers.pairs, headers.names
        names = {name.lower() for name, _ in own}
        if not names.isdisjoint(theirs):
            name = next(name for name, _ in own if name.lower() in theirs)
            raise ValueError(f"header {name} comes from the settings and cannot be overridden")
        pairs = [*headers.pairs, *own]
        if "user-agent" not in names and "user-agent" not in theirs:
            pairs.append(("User-Agent", _USER_AGENT))
        if "accept-encoding" not in names and "accept-encoding" not in theirs:
            pairs.append(("Accept-Encoding", "identity"))
        if self.content or self.method in _BODY_EXPECTED:
            pairs.append(("Content-Length", str(len(self.content))))
        draft = self._draft()
        draft.base, draft.headers = base, Headers.of(pairs)
        draft.__class__ = Request  # as above
        return draft  # type: ignore[no-any-return]

    @guarded
    def completed(self, headers: HeaderInput) -> "Request":
        """Copy the request with further headers of the caller's, unless it has them already."""
        further = [pair for pair in check_headers(headers).pairs if pair[0] not in self.headers]
        draft = self._draft()
        draft.headers = Headers.of([*self.headers.pairs, *further])
        return Request.seal(draft)

    @guarded
    def moved(self, path: str) -> "Request":
        """Copy the request as one for another path with its query; the request's own parameters are left out."""
        draft = self._draft()
        draft.path, draft.query = check_target(path)
        return Request.seal(draft)

    def _draft(self) -> Any:  # noqa: ANN401 - slots without types
        # Each call makes a copy, and copy.copy() takes as long as all else that is done to it.
        new: Any = _RequestDraft()
        new.method, new.path, new.query = self.method, self.path, self.query
        new.headers, new.content = self.headers, self.content
        new.timeout, new.follow, new.base = self.timeout, self.follow, self.base
        return new

    def _fields(self) -> dict[str, Any]:
        fields = super()._fields()
        return fields | {"base": None if self.base is None else str(self.base)}

    @classmethod
    @guarded
    def restore(cls, fields: dict[str, Any]) -> Self:
        """Make the request anew, as pickles keep it."""
        base = fields["base"]
        return super().restore(fields | {"base": None if base is None else BaseUrl(base)})

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"


def _body(json: object, form: ParamsInput | None, content: bytes | str | None) -> tuple[bytes, str]:
    if (json is not None) + (form is not None) + (content is not None) > 1:
        raise ValueError("give at most one of json, form and content")
    if json is not None:
        return encode_finite(json, what="json"), "application/json"
    if form is not None:
        return encode_form(form).encode(), "application/x-www-form-urlencoded"
    if content is None:
        return b"", ""
    if isinstance(content, str):
        return content.encode(), ""
    if isinstance(content, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        return bytes(content), ""
    raise TypeError("content must be bytes or a string")


def _complete(given: Headers, token: str | Secret | None, content_type: str) -> Headers:
    pairs = [*given.pairs]  # of the caller's, and none for most calls
    if content_type and (not pairs or "content-type" not in given):
        pairs.append(("Content-Type", content_type))
    if token is not None:
        text = token.reveal() if isinstance(token, Secret) else token
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("token must be a string")
        if not text:
            raise ValueError("token must not be empty")
        if "authorization" in given:
            raise ValueError("give token or an Authorization header, not both")
        value = f"Bearer {text}"
        if not (
            text.isascii() and text.isprintable()
        ):  # nearly every token is, and needs no second look
            check_header("Authorization", value)
        pairs.append(("Authorization", value))
    return Headers.of(pairs)
