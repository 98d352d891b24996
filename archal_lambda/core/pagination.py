"""Where a response leads: to the next page of a list (RFC 8288), or elsewhere (RFC 9110, section 15.4).

This module owns which request comes next, how many pages may come, and how the items are taken out of one. It must not
send the requests it makes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import urldefrag, urljoin, urlsplit

import msgspec

from archal_lambda.core.headers import next_link
from archal_lambda.core.json import decode, encode
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import DecodeError, PageLimitError

__all__ = ["ItemsIn", "Pages", "followed", "items_of"]

R = TypeVar("R")
T = TypeVar("T")

ItemsIn = str | Callable[[Any], Any]
"""Where the list is in a page that wraps it: its key, or a function that takes it out of the decoded page."""

# 100,000 items at GitHub's 100 a page: more than a run reads, and an end for a list that has none.
_MAX_PAGES = 1000
_MAX_REDIRECTS = 5  # a renamed thing takes one, a renamed owner of it another; a loop never ends
_REPEATED = frozenset({307, 308})
_REPEATED_IF_READING = frozenset({301, 302, 303})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Pages:
    """A walk along `rel="next"`; `request` is the next one to send, or None after the last page.

    Links that name another host are followed at this base. The options go with every page, `params` with the first.
    """

    def __init__(
        self, path: str, base: BaseUrl, options: Mapping[str, Any], max_pages: int | None = None
    ) -> None:
        if max_pages is None:
            max_pages = _MAX_PAGES
        if isinstance(max_pages, bool) or not isinstance(max_pages, int):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("max_pages must be a whole number")
        if max_pages < 1:
            raise ValueError("max_pages must be 1 or more")
        first = Request("GET", path, **options)
        self.request: Request | None = first
        self._base = base
        self._seen = {first.target}
        self._most = max_pages

    def turn(self, response: Response, *, empty: bool = False) -> None:
        """Move on to the next page, from the response to the current request.

        Some services link on from their last page, or for ever: an empty page is the last one.
        """
        link = next_link(response.headers.get("link", ""))
        current, self.request = self.request, None
        if link is None or current is None or empty:
            return
        with suppress(ValueError):
            # A link may be relative to the page it stands on (RFC 8288, section 3.1), and carries its own parameters.
            address = urljoin(self._base.path + current.target, link)
            following = current.moved(self._base.relative(address))
            if following.target not in self._seen:
                self._seen.add(following.target)
                self.request = following
                return
        raise DecodeError(
            "the link to the next page is malformed or leads back",
            path="Link",
            method=response.method,
            url=response.url,
            status_code=response.status_code,
        )

    def take(self) -> Request:
        """Give the request for the next page; a `PageLimitError` if it is one too many."""
        if len(self._seen) > self._most:
            raise PageLimitError(self._most)
        return cast("Request", self.request)


def items_of(response: Response, type: type[list[T]], items: ItemsIn | None) -> list[T]:  # noqa: A002 - as in decode
    """Decode the items of a page."""
    if items is None:
        return response.decode(type)
    if isinstance(items, str):
        page: Any = response.decode(_wrapped(items, type))
        return cast("list[T]", page.items)
    return decode(encode(items(response.json())), type, response)


@lru_cache(maxsize=64)  # each type costs a decoder
def _wrapped(key: str, type_: type[Any]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Page", [("items", type_, msgspec.field(name=key))])


def followed(
    request: Request,
    outcome: R | Response,
    base: BaseUrl,
    again: Callable[[Request], Generator[Any, Any, R | Response]],
) -> Generator[Any, Any, R | Response]:
    """Go on, from what a request ended with, to where its redirects lead within the base; `again` makes a call."""
    for _ in range(_MAX_REDIRECTS):
        moved = _redirected(request, outcome, base) if isinstance(outcome, Response) else None
        if moved is None:
            break
        request = moved
        outcome = yield from again(request)
    return outcome


def _redirected(request: Request, response: Response, base: BaseUrl) -> Request | None:
    # A 301, 302 or 303 repeats what reads alone: of other methods browsers make a GET, which is not what was asked.
    repeated = response.status_code in _REPEATED or (
        response.status_code in _REPEATED_IF_READING and request.method in {"GET", "HEAD"}
    )
    target = response.headers.get("location", "")
    if not repeated or not target:
        return None
    with suppress(ValueError):
        here = f"{base.origin}{base.path}{request.target}"
        address = urldefrag(urljoin(here, target))[0]
        parts = urlsplit(address)
        origin = parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
        below = parts.path == base.path or parts.path.startswith(f"{base.path}/")
        if "@" not in parts.netloc and below and origin == (base.scheme, base.host, base.port):
            return request.moved(base.relative(address))
    return None
