"""Where a call may go: base URLs, paths below them, and query strings.

This module owns the rules that keep a call inside the clone it was meant for. It must not resolve names or
know which clones exist.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Self, cast
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from archal_lambda.core.patterns import lazy
from archal_lambda.core.values import Immutable, checked_pairs

__all__ = ["BaseUrl", "ParamsInput", "check_target", "encode_form", "encode_params", "is_loopback"]

ParamsInput = Mapping[str, Any] | Iterable[tuple[str, Any]]

_CONTROL = lazy(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME = lazy(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_~!$&'()*+,;=:@./-]*+")
_END = lazy(r"[;?#]")
_BAD_ESCAPE = lazy(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]+")
# No server decodes this often, and without a limit a link of 64 kB takes a second to judge.
_MOST_DECODINGS = 10
_PORTS = {"http": 80, "https": 443}
# What RFC 3986 lets stand in a path or query, plus the percent sign of escapes already made.
_SAFE_PATH = "/%!$&'()*+,;=:@~"
_SAFE_QUERY = _SAFE_PATH + "?"


def is_loopback(host: str) -> bool:
    """Tell whether a host, without port or brackets, stays on this machine: `localhost`, 127.0.0.0/8, `::1`."""
    if host in {"localhost", "::1"}:
        return True
    numbers = host.split(".")
    return len(numbers) == 4 and numbers[0] == "127" and all(map(_is_octet, numbers))  # noqa: PLR2004 - IPv4


def _is_octet(number: str) -> bool:
    # Not 010, which some take for 8.
    plain = number.isascii() and number.isdigit() and len(number) <= 3  # noqa: PLR2004 - digits of 255
    return plain and number == str(int(number)) and int(number) <= 255  # noqa: PLR2004 - eight bits


class _BaseUrlDraft:
    __slots__ = ("host", "netloc", "origin", "path", "port", "scheme")


class BaseUrl(Immutable, _BaseUrlDraft, init=False):
    """The root of a clone's or the control plane's API: `https://host[:port][/path]`, plain http on loopback only.

    Anything else is a `ValueError` that says what is wrong and never shows the URL.
    """

    __slots__ = ()

    scheme: str
    host: str
    port: int
    netloc: str
    origin: str
    path: str

    def __new__(cls, url: str) -> Self:
        """Check the URL."""
        if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance] - JSON may hold anything
            raise ValueError("must be a string")  # noqa: TRY004 - one error for every bad URL
        if not (url.isascii() and url.isprintable()) or "\\" in url or " " in url:
            raise ValueError(
                "must not contain spaces, backslashes, control or non-ASCII characters"
            )
        parts, port = _split(url)
        host = parts.hostname or ""
        if "@" in parts.netloc:
            raise ValueError("must not contain user info (name@ or name:password@)")
        if "?" in url or "#" in url:
            raise ValueError("must not contain a query or fragment")
        if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
            raise ValueError("must be an https URL with a host, such as https://host/github/api")
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError("must be https; plain http is for loopback only")
        draft: Any = _BaseUrlDraft()
        draft.scheme, draft.host, draft.port = parts.scheme, host, port or _PORTS[parts.scheme]
        bracketed = f"[{host}]" if ":" in host else host
        is_default = draft.port == _PORTS[parts.scheme]
        draft.netloc = bracketed if is_default else f"{bracketed}:{draft.port}"
        draft.origin = f"{draft.scheme}://{draft.netloc}"
        path = parts.path.rstrip("/")
        draft.path = check_target(path)[0] if path else ""
        return cls.seal(draft)

    def __str__(self) -> str:
        return self.origin + self.path

    def __repr__(self) -> str:
        return f"BaseUrl({str(self)!r})"

    def relative(self, url: str) -> str:
        """Bring an address that the clone handed out below this base.

        A clone's `Link` may name its public address or the service's production origin; only path and
        query are taken, so that the call stays at the clone whatever the response says. A production path may begin
        with the end of the base's, as `/api/v3/items` does at `/github/api/v3`: what they share counts once.
        """
        parts = urlsplit(url)
        path, shared = parts.path, self.path
        while shared and path != shared and not path.startswith(f"{shared}/"):
            _, slash, rest = shared[1:].partition("/")
            shared = slash + rest
        path = path[len(shared) :]
        check_target(path or "/")
        return f"{path}?{parts.query}" if parts.query else path


def check_target(path: str) -> tuple[str, str]:
    """Validate a path below a base URL and percent-encode what needs it.

    Escapes that are there already are kept as they are. The checks look at the decoded form too, however
    often it was encoded, because a server on the way may decode more than once. The result is the path, starting with a
    slash, and the query, without its question mark.
    """
    # The common case needs no second look.
    if _PLAIN_PATH.fullmatch(path) and "/." not in path and "//" not in path:
        return path, ""
    if _SCHEME.match(path) or path.startswith("//"):
        raise ValueError("path must be relative to the clone's base URL, not an absolute URL")
    if "#" in path:
        raise ValueError("path must not contain a fragment (#); encode it as %23")
    if _BAD_ESCAPE.search(path):
        raise ValueError("path contains a percent sign without two hex digits; encode it as %25")
    path, _, query = path.partition("?")
    if not path.startswith("/"):
        path = f"/{path}"
    plain = _decode(path)
    if plain.startswith("//"):
        raise ValueError("path must not start with //, encoded or not")
    if "\\" in plain or _CONTROL.search(plain) or _CONTROL.search(query):
        raise ValueError("path must not contain backslashes or control characters, encoded or not")
    # Some servers take parameters (;) and spaces off a segment before they look at it; one that decodes first ends the
    # path at a question mark or hash.
    if any(_END.split(segment, 1)[0].strip() in {".", ".."} for segment in plain.split("/")):
        raise ValueError("path must not contain . or .. segments, encoded or not")
    return quote(path, safe=_SAFE_PATH), quote(query, safe=_SAFE_QUERY)


def encode_params(params: ParamsInput | None, *, what: str = "params") -> str:
    """Encode query parameters as `application/x-www-form-urlencoded` text, spaces as `%20`.

    A list or tuple repeats its key; None is left out; booleans become `true` and `false`.
    """
    if params is None:
        return ""
    pairs: list[tuple[str, str]] = []
    for key, value in checked_pairs(params, what=what):
        values = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
        pairs.extend((key, _scalar(what, key, one)) for one in values if one is not None)
    return urlencode(pairs, quote_via=quote)


def encode_form(form: ParamsInput) -> str:
    """Encode form fields like parameters; nested ones in brackets, as Stripe and others read them."""
    flat: list[tuple[str, Any]] = []
    for key, value in checked_pairs(form, what="form"):
        flat.extend(_flattened(key, value) if _is_nested(value) else [(key, value)])
    return encode_params(flat, what="form")


def _is_nested(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(one, Mapping | list | tuple) for one in cast("list[Any]", value))
    return isinstance(value, Mapping)


def _flattened(key: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        for number, one in enumerate(cast("list[Any]", value)):
            yield from _flattened(f"{key}[{number}]", one)
    elif isinstance(value, Mapping):
        for name, one in checked_pairs(cast("Mapping[str, Any]", value), what="form"):
            if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
                raise TypeError(f"form[{key!r}] must have strings for keys")
            yield from _flattened(f"{key}[{name}]", one)
    else:
        yield key, value


def _split(url: str) -> tuple[SplitResult, int | None]:
    with suppress(ValueError):  # its message quotes the URL
        parts = urlsplit(url)
        # Of what is behind an address in brackets, urlsplit takes anything for nothing.
        _, bracket, behind = parts.netloc.rpartition("]")
        if not (bracket and behind) or behind.startswith(":"):
            return parts, parts.port
    raise ValueError("must be a URL with a valid host and port")


def _scalar(what: str, key: str, value: object) -> str:
    if isinstance(value, Enum):  # as in JSON; str() of an enum is its name
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{what}[{key!r}] must not be NaN or infinite")
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError(f"{what}[{key!r}] must be a string, number or boolean, or a list of those")


def _decode(text: str) -> str:
    with suppress(UnicodeDecodeError):  # overlong forms of a dot or a slash are among these
        for _ in range(_MOST_DECODINGS):
            text, encoded = unquote(text, errors="strict"), text
            if text == encoded:
                return text
        raise ValueError(f"path is percent-encoded {_MOST_DECODINGS} times over or more")
    raise ValueError("path contains escapes that are not UTF-8")
