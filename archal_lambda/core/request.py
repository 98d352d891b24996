"""Requests as values.

This module owns what a call may hold. It must not send anything.
"""
# Annotations are evaluated here, so that the hints of public values resolve wherever they are asked for.

from collections.abc import Callable
from typing import Any, Self

import msgspec

from archal_lambda._version import __version__
from archal_lambda.core.bodies import Reading, encode_body
from archal_lambda.core.headers import (
    HeaderInput,
    Headers,
    check_header,
    check_headers,
)
from archal_lambda.core.secrets import Secret, guarded
from archal_lambda.core.timeouts import Timeout
from archal_lambda.core.url import BaseUrl, ParamsInput, check_target, encode_params
from archal_lambda.core.values import Immutable

__all__ = ["Request"]

# RFC 9110, section 9.2.2. TRACE is left out: clients do not send it.
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_METHODS = _IDEMPOTENT | {"POST", "PATCH"}
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})
_USER_AGENT = f"User-Agent: archal-lambda/{__version__}\r\n".encode()
_IDENTITY = b"Accept-Encoding: identity\r\n"


class _RequestDraft:
    __slots__ = (
        "_headers",
        "_values",
        "base",
        "content",
        "follow",
        "lines",
        "method",
        "path",
        "query",
        "reading",
        "timeout",
    )


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
    content: bytes
    timeout: Timeout | None
    follow: bool
    base: BaseUrl | None
    lines: bytes
    reading: Reading | None  # for the built-in transports; it does not travel
    # Of headers that nobody has looked at yet, the values by their names in lower case, where they are known.
    _values: dict[str, str] | None
    _headers: Headers | None

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
        # users err
        if not (isinstance(method, str) and isinstance(path, str)):  # type: ignore[redundant-expr] # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("method and path must be strings")
        draft: Any = _RequestDraft()
        draft.base = draft.reading = None
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
            draft.content, content_type = encode_body(json, form, content)
            checked = None if headers is None else check_headers(headers)
            draft.lines, draft._values = _complete(checked, token, content_type)  # noqa: SLF001 - a field of what it becomes
            draft._headers = None  # noqa: SLF001 - the same
        except UnicodeEncodeError:
            reason = "a lone surrogate in the path, parameters or body cannot be sent"
            raise ValueError(reason) from None  # the other error holds the whole text
        draft.__class__ = cls  # as `seal` does, which would take a call more
        return draft  # type: ignore[no-any-return]  # it is one now

    @property
    def headers(self) -> Headers:
        """The headers: of the caller's, until the request is prepared; then all but `Host`."""
        headers = self._headers
        if headers is None:
            headers = Headers.of_lines(self.lines, self._values)
            _remember(self, headers)  # made when they are first needed; the value stays what it is
        return headers

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
        names = headers.by_name
        own = self.headers.by_name if self._values is None else self._values
        for name in names:
            if name in own:
                given = next(one for one, _ in self.headers.pairs if one.lower() == name)
                raise ValueError(f"header {given} comes from the settings and cannot be overridden")
        lines = [headers.lines, self.lines]
        if "user-agent" not in own and "user-agent" not in names:
            lines.append(_USER_AGENT)
        if "accept-encoding" not in own and "accept-encoding" not in names:
            lines.append(_IDENTITY)
        if self.content or self.method in _BODY_EXPECTED:
            lines.append(_length(self.content))
        draft: Any = _RequestDraft()
        draft.method, draft.path, draft.query = self.method, self.path, self.query
        draft.content, draft.timeout, draft.follow = self.content, self.timeout, self.follow
        draft.base, draft.lines, draft.reading = base, b"".join(lines), self.reading
        draft._values = draft._headers = None  # noqa: SLF001 - fields of what it becomes
        draft.__class__ = Request  # as above
        return draft  # type: ignore[no-any-return]  # it is one now

    @guarded
    def completed(self, headers: HeaderInput) -> "Request":
        """Copy the request with further headers of the caller's, unless it has them already."""
        further = [pair for pair in check_headers(headers).pairs if pair[0] not in self.headers]
        lines = Headers.of([*self.headers.pairs, *further]).lines
        return self._copy(lines=lines, _values=None, _headers=None)

    def read_by(self, reading: Reading) -> "Request":
        """Copy the request as one whose response is looked at as it comes."""
        return self._copy(reading=reading)

    @guarded
    def answering(self, content: bytes) -> "Request":
        """Copy a prepared request as one to send while its response comes: the same but for the body."""
        lines = self.lines.replace(_length(self.content), _length(content))
        return self._copy(lines=lines, content=content, reading=None, _headers=None)

    @guarded
    def moved(self, path: str) -> "Request":
        """Copy the request as one for another path with its query; the request's own parameters are left out."""
        path, query = check_target(path)
        return self._copy(path=path, query=query)

    def _copy(self, **changes: Any) -> "Request":  # noqa: ANN401 - fields, of any type
        new = _RequestDraft()
        for name in _RequestDraft.__slots__:
            setattr(new, name, changes[name] if name in changes else getattr(self, name))
        return Request.seal(new)

    def _fields(self) -> dict[str, Any]:
        base = None if self.base is None else str(self.base)
        return super()._fields() | {
            "base": base,
            "reading": None,
            "_values": None,
            "_headers": None,
        }

    @classmethod
    @guarded
    def restore(cls, fields: dict[str, Any]) -> Self:
        """Make the request anew, as pickles keep it."""
        base = fields["base"]
        return super().restore(fields | {"base": None if base is None else BaseUrl(base)})

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"


# Set past the value itself, which refuses: a slot has its own way to be set.
_remember: Callable[[Request, Headers], None] = vars(_RequestDraft)["_headers"].__set__


def _length(content: bytes) -> bytes:
    return f"Content-Length: {len(content)}\r\n".encode()


def _complete(
    given: Headers | None, token: str | Secret | None, content_type: tuple[str, bytes] | None
) -> tuple[bytes, dict[str, str]]:
    """Give the headers of the caller's as lines, and their values by names in lower case."""
    lines = b""
    values: dict[str, str] = {}
    if given is not None:
        lines, values = given.lines, dict(given.by_name)
    if content_type is not None and "content-type" not in values:
        values["content-type"], line = content_type
        lines += line
    if token is not None:
        text = token.reveal() if isinstance(token, Secret) else token
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("token must be a string")
        if not text:
            raise ValueError("token must not be empty")
        if "authorization" in values:
            raise ValueError("give token or an Authorization header, not both")
        value = f"Bearer {text}"
        if not (
            text.isascii() and text.isprintable()
        ):  # nearly every token is, and needs no second look
            check_header("Authorization", value)
        lines += f"Authorization: {value}\r\n".encode("latin-1")
        values["authorization"] = value
    return lines, values
