"""Responses as values.

This module owns what a response offers, and which error a failed one is. It must not send anything.
"""
# Annotations are evaluated here, so that the hints of public values resolve wherever they are asked for.

import codecs
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

from archal_lambda import errors
from archal_lambda.core.error_bodies import Body, error_body, error_code, error_message
from archal_lambda.core.headers import HeaderInput, Headers, next_link
from archal_lambda.core.json import decode, decode_plain, decoder, encode_finite
from archal_lambda.core.records import Transfer
from archal_lambda.core.rejection import is_rate_limit, rejected_by
from archal_lambda.core.request import Request
from archal_lambda.core.secrets import guarded
from archal_lambda.core.values import Immutable

__all__ = ["MAX_RESPONSE_BYTES", "Response", "status_error"]

T = TypeVar("T")

# AWS Lambda's limit for a synchronous response; a larger body could not be passed on anyway.
MAX_RESPONSE_BYTES = 6 * 1024 * 1024
# Codecs of Python that are not charsets: `punycode` takes minutes for a megabyte, and others warn.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_LONGEST_CHARSET = 40  # Python remembers every name it is asked for
_FAILURE = 400
_FORBIDDEN = 403
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
        "_body",
        "_credential",
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
    # Whether a service credential went along, of a response that is not a success.
    _credential: bool
    _body: tuple[Body] | None  # of an error, once it has been looked into

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
        content = content if json is None else encode_finite(json, what="json")
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
        attempts: int = 1,
    ) -> Self:
        """Make a response of ready parts, as transports do; see the class. Of no attempts, it is to be concluded."""
        draft: Any = _ResponseDraft()
        draft.status_code = status_code
        draft.headers = headers
        draft.content = content
        draft.elapsed = elapsed
        draft.attempts = attempts
        draft.maybe_processed = False
        draft.transfer = transfer
        draft.method, draft.url, draft._credential = "", "", False  # noqa: SLF001 - a field of what it becomes
        if request is not None:
            draft.method, draft.url = request.method, request.url
            # Looked for in a failure alone: each call makes a response.
            if status_code >= _FAILURE:
                draft._credential = "authorization" in request.headers  # noqa: SLF001 - the same
        draft._body = None  # noqa: SLF001 - the same
        draft.__class__ = cls  # as `seal` does, which would take a call more
        return draft  # type: ignore[no-any-return]  # it is one now

    def concluded(self, *, attempts: int, elapsed: float, maybe_processed: bool) -> "Response":
        """Make the response of one attempt that of a whole call."""
        if not self.attempts:  # nobody has seen it yet, so that it need not be copied
            _set_attempts(self, attempts)
            _set_elapsed(self, elapsed)
            _set_maybe_processed(self, maybe_processed)
            return self
        draft: Any = _ResponseDraft()
        draft.status_code, draft.headers = self.status_code, self.headers
        draft.content, draft.transfer = self.content, self.transfer
        draft.method, draft.url = self.method, self.url
        draft._credential, draft._body = self._credential, self._body  # noqa: SLF001 - as above
        draft.attempts, draft.elapsed, draft.maybe_processed = attempts, elapsed, maybe_processed
        draft.__class__ = Response  # as above
        return draft  # type: ignore[no-any-return]  # it is one now

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
        """Seconds of `Retry-After` (RFC 9110, section 10.2.3), else of a spent rate limit, else None.

        A date counts from the response's `Date`, and so does `x-ratelimit-reset`, which is read from a 403 or 429 with
        `x-ratelimit-remaining: 0` (GitHub's documentation, "Rate limits for the REST API").
        """
        from archal_lambda.core.retry_after import seconds_to_wait  # noqa: PLC0415 - few responses need it

        return seconds_to_wait(self.status_code, self.headers)

    @property
    def next_page(self) -> str | None:
        """The target of the `Link` to the next page (RFC 8288) as it stands there, else None; see `Clone.paginate`."""
        return next_link(self.headers.get("link", ""))

    @property
    def rejected_by(self) -> str | None:
        """Who turned the call down: `"route"`, `"clone"`, or None where there is no telling.

        It is a judgement by what speaks for either, because no status or header alone tells the two apart. The first
        line of this table that fits decides:

        | evidence | judgement |
        | --- | --- |
        | a status below 400 | None |
        | a header of one service (`x-github-…`, `x-slack-…`, Stripe's `request-id`), a challenge with a realm (`www-authenticate`) that does not name Archal | clone |
        | a body over 64 kB, empty, or not JSON; `{}` | None |
        | an array | clone |
        | one of the signs of a service below, and one of the signs of the route | None |
        | an object without `error`, `code`, `message` and `detail`, or with one that is not a string; a key of one service beside them (`documentation_url`, `ok`, `statusCode`, `error_description`, `errors`, …); a text that begins with the status (`404 Not Found`) | clone |
        | a status that Archal's route does not have; a challenge without a realm; a key that many send (`status`, `details`, `type`, …) | None |
        | those strings, and a header (`x-archal-…`, a realm), a key (`sessionId`) or words that name Archal or its route | route |
        | nothing but `error` and `code`, both names in lower case and `error` none of OAuth's, and `message` or `detail` | route |
        | 401 or 403, with both | route |
        | 401 or 403, with such an `error` and `message` or `detail`; where `error` is not `unauthorized`, a 401 to a request with a service credential | route |
        | anything else, such as `error`, `message` or `detail` alone, or `code` and `message` | None |

        `x-request-id`, `server-timing` and the like say nothing: services and proxies both send them.
        """  # noqa: E501 - the lines of a table
        if self.status_code < _FAILURE:
            return None
        credential = self._credential if self.method else None
        body = self._error_body()
        return rejected_by(self.status_code, self.headers, body, credential=credential)

    @property
    def error_message(self) -> str:
        """The words in which a failure is told, for logs: one line of 160 characters at most, empty if there are none.

        Of the body's `message`, `error.message`, `error` and the like, the first is taken. What is quoted in it, and
        each word that may be a value or a credential, is left out; so are values of fields.
        """
        return error_message(self._error_body())

    @property
    def error_code(self) -> str | None:
        """The machine-readable code of a failure, for logs: `code`, `error`, `error.code` or `error.type` of its body.

        None where none of them is of small letters and underscores alone, which can be no credential.
        """
        return error_code(self._error_body())

    def json(self) -> Any:  # noqa: ANN401 - JSON may be anything
        """Decode the body as plain Python values.

        Returns:
            What the JSON says.

        Raises:
            DecodeError: If the body is not JSON. A byte order mark before it is skipped.
        """
        return decode_plain(self.content, self)

    def decode(self, type: type[T]) -> T:  # noqa: A002 - the name msgspec users know
        """Decode the body into a type.

        Args:
            type: Any type msgspec knows, such as a Struct or `list[Struct]`.

        Returns:
            The decoded value.

        Raises:
            DecodeError: If the body is of another shape; `.path` says where, `.field` which field.
        """
        try:
            value: T = decoder(type).decode(self.content)  # type: ignore[arg-type]  # as in json
        except Exception:  # noqa: BLE001, S110 - the door says what is wrong, and lets nothing of it be seen
            pass
        else:
            return value
        return decode(self.content, type, self)

    def raise_for_status(self) -> Self:
        """Raise unless the status is 2xx.

        Returns:
            The response itself, to go on with.

        Raises:
            StatusError: For any other status; `RouteRejectedError` where `rejected_by` is `"route"`.
        """
        if 200 <= self.status_code < 300:  # noqa: PLR2004 - as in is_success, which would take a call more
            return self
        raise status_error(self, method=self.method, url=self.url)

    def error_field(self, name: str) -> str | None:
        """Read a string of the error envelope.

        Args:
            name: `error`, `code`, `message` or `detail`.

        Returns:
            The string, or None where the body has no such string, or is larger than 64 kB.
        """
        body = self._error_body()
        value = body.get(name) if isinstance(body, dict) else None
        return value if isinstance(value, str) else None

    def _error_body(self) -> Body:
        if self._body is None:
            _remember(self, (error_body(self.content),))  # found once; the value stays what it is
        return self._body[0] if self._body is not None else None

    def _fields(self) -> dict[str, Any]:
        return super()._fields() | {"_body": None}

    def __repr__(self) -> str:
        return f"<Response {self.status_code}, {len(self.content)} bytes>"


# Set past the value itself, which refuses: a slot has its own way to be set.
_remember: Callable[[Response, tuple[Body]], None] = vars(_ResponseDraft)["_body"].__set__
_set_attempts: Callable[[Response, int], None] = vars(_ResponseDraft)["attempts"].__set__
_set_elapsed: Callable[[Response, float], None] = vars(_ResponseDraft)["elapsed"].__set__
_set_maybe_processed: Callable[[Response, bool], None] = vars(_ResponseDraft)[
    "maybe_processed"
].__set__


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
    elif response.status_code == _FORBIDDEN and is_rate_limit(
        response.headers, response.error_field("message") or ""
    ):
        cls = errors.RateLimitError
    else:
        cls = _BY_STATUS.get(response.status_code, errors.StatusError)
    return cls(response, method=method, url=url)
