"""Responses as values.

This module owns what a response offers, and which error a failed one is. It must not send anything.
"""
# Annotations are evaluated here, so that the hints of public values resolve wherever they are asked for.

import codecs
from contextlib import suppress
from typing import Any, Self, TypeVar, cast

from archal_lambda import errors
from archal_lambda.core.headers import HeaderInput, Headers, next_link
from archal_lambda.core.json import decode, decode_plain, encode
from archal_lambda.core.records import Transfer
from archal_lambda.core.request import Request
from archal_lambda.core.secrets import guarded
from archal_lambda.core.values import Immutable

__all__ = ["MAX_RESPONSE_BYTES", "Response", "status_error"]

T = TypeVar("T")

# AWS Lambda's limit for a synchronous response; a larger body could not be passed on anyway.
MAX_RESPONSE_BYTES = 6 * 1024 * 1024
# The names of Archal's error envelope (`ErrorResponse`, Archal OpenAPI 0.3.0).
_ENVELOPE = ("error", "code", "message", "detail")
# Codecs of Python that are not charsets: `punycode` takes minutes for a megabyte, and others warn.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_LONGEST_CHARSET = 40  # Python remembers every name it is asked for
_BY_STATUS: dict[int, type[errors.StatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    426: errors.UpgradeRequiredError,
    429: errors.RateLimitError,
}


class _ResponseDraft:
    __slots__ = (
        "attempts",
        "content",
        "elapsed",
        "headers",
        "maybe_processed",
        "method",
        "status_code",
        "transfer",
        "url",
    )


class Response(Immutable, _ResponseDraft, init=False):
    """One complete HTTP response.

    Args:
        status_code: The final status.
        headers: Its headers.
        content: Its body; the content codings gzip and deflate are undone.
        json: A body to encode instead of `content`, for responses made by hand.
        elapsed: Seconds from the start of the call to the last byte, all attempts included.
        request: The request it answers, for the wording of errors.
        transfer: The figures of the last attempt, where the transport has them.

    Attributes:
        method: The HTTP method of the request, empty where no request is known.
        url: The request's address without query, empty where no request is known.
        attempts: How often the request was sent to get this response.
        maybe_processed: Whether an earlier attempt may have done what was asked: its response was lost, or was a
            server's failure.
    """

    __module__ = "archal_lambda"
    __slots__ = ()

    status_code: int
    headers: Headers
    content: bytes
    elapsed: float
    attempts: int
    maybe_processed: bool
    transfer: Transfer | None
    method: str
    url: str

    @guarded
    def __new__(  # noqa: PLR0913 - the parts of a response, each by name
        cls,
        status_code: int,
        *,
        headers: Headers | HeaderInput = (),
        content: bytes = b"",
        json: object = None,
        elapsed: float = 0.0,
        request: Request | None = None,
        transfer: Transfer | None = None,
    ) -> Self:
        """Take the parts as they are."""
        if not isinstance(headers, Headers):
            headers = Headers(headers)
        content = content if json is None else encode(json)
        return cls.of(status_code, headers, content, request, transfer, elapsed)

    @classmethod
    def of(  # noqa: PLR0913, PLR0917 - the parts of a response
        cls,
        status_code: int,
        headers: Headers,
        content: bytes,
        request: Request | None,
        transfer: Transfer | None = None,
        elapsed: float = 0.0,
    ) -> Self:
        """Make a response of ready parts, as transports do; see the class."""
        draft: Any = _ResponseDraft()
        draft.status_code = status_code
        draft.headers = headers
        draft.content = content
        draft.elapsed = elapsed
        draft.attempts = 1
        draft.maybe_processed = False
        draft.transfer = transfer
        draft.method = request.method if request is not None else ""
        draft.url = request.url if request is not None else ""
        return cls.seal(draft)

    def concluded(self, *, attempts: int, elapsed: float, maybe_processed: bool) -> "Response":
        """Copy the response of one attempt as that of a whole call."""
        draft: Any = _ResponseDraft()
        draft.status_code, draft.headers = self.status_code, self.headers
        draft.content, draft.transfer = self.content, self.transfer
        draft.method, draft.url = self.method, self.url
        draft.attempts, draft.elapsed, draft.maybe_processed = attempts, elapsed, maybe_processed
        return Response.seal(draft)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300  # noqa: PLR2004 - the class of status codes

    @property
    def text(self) -> str:
        """The body as text: the charset of `Content-Type`, else UTF-8; faulty bytes become U+FFFD."""
        # A charset nobody knows, or a codec that is not a charset.
        with suppress(LookupError, ValueError):
            return self.content.decode(_charset(self.headers.get("content-type", "")), "replace")
        return self.content.decode("utf-8", "replace")

    @property
    def retry_after(self) -> float | None:
        """Seconds of `Retry-After` (RFC 9110, section 10.2.3), else None; a date counts from the response's `Date`."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        return _seconds_between(self.headers.get("date", ""), value) if value else None

    @property
    def next_page(self) -> str | None:
        """The target of the `Link` to the next page (RFC 8288) as it stands there, else None; see `Clone.paginate`."""
        return next_link(self.headers.get("link", ""))

    @property
    def rejected_by(self) -> str | None:
        """Who turned the call down: `"route"`, `"clone"`, or None where there is no telling.

        It is a judgement, because no status or header tells the two apart. A status below 400 and a body that is
        not a JSON object or array give None. A response is taken for the route's when its body is an object whose
        `error`, `code`, `message` and `detail` are strings where present and which has `error` with another of
        them, or nothing else beside `error` or `code`. Services differ: GitHub adds `documentation_url`, Slack
        `ok`, Stripe makes `error` an object.
        """
        if self.status_code < 400:  # noqa: PLR2004 - the class of status codes
            return None
        body = self._error_body()
        if body is None:
            return None
        named = [name for name in _ENVELOPE if name in body]
        if not all(isinstance(body[name], str) for name in named):
            return "clone"
        if "error" in body and len(named) > 1:
            return "route"
        return (
            "route" if len(named) == len(body) and ("error" in body or "code" in body) else "clone"
        )

    def json(self) -> Any:  # noqa: ANN401 - JSON may be anything
        """Decode the body as plain Python values.

        Returns:
            What the JSON says.

        Raises:
            DecodeError: If the body is not JSON.
        """
        return decode_plain(self.content)

    def decode(self, type: type[T]) -> T:  # noqa: A002 - the name msgspec users know
        """Decode the body into a type.

        Args:
            type: Any type msgspec knows, such as a Struct or `list[Struct]`.

        Returns:
            The decoded value.

        Raises:
            DecodeError: If the body is of another shape; `.path` says where.
        """
        return decode(self.content, type)

    def raise_for_status(self) -> Self:
        """Raise unless the status is 2xx.

        Returns:
            The response itself, to go on with.

        Raises:
            StatusError: For any other status; `RouteRejectedError` where `rejected_by` is `"route"`.
        """
        if self.is_success:
            return self
        raise status_error(self, method=self.method, url=self.url)

    def error_field(self, name: str) -> str | None:
        """Read a string of the error envelope.

        Args:
            name: `error`, `code`, `message` or `detail`.

        Returns:
            The string, or None where the body has no such string.
        """
        value = (self._error_body() or {}).get(name)
        return value if isinstance(value, str) else None

    def _error_body(self) -> dict[str, object] | None:
        try:
            body = decode_plain(self.content)
        except errors.DecodeError:
            return None
        if isinstance(body, dict):
            return cast("dict[str, object]", body)
        return {} if isinstance(body, list) else None

    def __repr__(self) -> str:
        return f"<Response {self.status_code}, {len(self.content)} bytes>"


def _seconds_between(start: str, end: str) -> float | None:
    # Both are the server's: the clock of this machine may tell another time.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - hardly any response needs it

    try:
        seconds = (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(seconds, 0.0)


def _charset(content_type: str) -> str:
    _, _, rest = content_type.lower().partition("charset=")
    name = rest.split(";")[0].strip(" \"'")
    if not name or len(name) > _LONGEST_CHARSET or codecs.lookup(name).name in _NO_CHARSETS:
        return "utf-8"
    return name


def status_error(
    response: Response, *, method: str = "", url: str = "", routed: bool = True
) -> errors.StatusError:
    """Choose the most precise error for a failed response.

    The control plane answers in the route's own envelope without any route being at fault: it is not `routed`.
    """
    cls: type[errors.StatusError]
    if routed and response.rejected_by == "route":
        cls = errors.RouteRejectedError
    elif response.status_code >= 500:  # noqa: PLR2004 - the class of status codes
        cls = errors.ServerError
    else:
        cls = _BY_STATUS.get(response.status_code, errors.StatusError)
    return cls(response, method=method, url=url)
