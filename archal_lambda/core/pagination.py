"""Pages of a list: which request comes next (RFC 8288).

This module owns the reading of `Link` headers. It must not send the requests it makes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urljoin

from archal_lambda.core.request import CallOptions, Request
from archal_lambda.core.response import Response
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import DecodeError

__all__ = ["Pages", "next_link"]

_TARGET = re.compile(r"[\s,]*<([^<>]*)>")
# A parameter is a token with an optional value, bare or quoted (RFC 8288, section 3).
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


def next_link(value: str) -> str | None:
    """Find the target of the first link whose `rel` contains `next` in the value of a `Link` header, or None."""
    at = 0
    while target := _TARGET.match(value, at):
        at = target.end()
        relations: list[str] | None = None
        while parameter := _PARAMETER.match(value, at):
            at = parameter.end()
            # Only the first rel counts (RFC 8288, section 3.3).
            if parameter[1].lower() == "rel" and relations is None:
                relations = (parameter[2] or parameter[3] or "").lower().split()
        if relations and "next" in relations:
            return target[1]
    return None


class Pages:
    """A walk along `rel="next"`; `request` is the next one to send, or None after the last page.

    Links that name another host are followed at this base. The options go with every page, `params` with the first.
    """

    def __init__(self, path: str, base: BaseUrl, options: CallOptions) -> None:
        first = Request("GET", path, **options)
        self.request: Request | None = first
        self._base = base
        self._seen = {first.target}

    def turn(self, response: Response) -> None:
        """Move on to the next page, from the response to the current request."""
        link = next_link(response.headers.get("link", ""))
        current, self.request = self.request, None
        if link is None or current is None:
            return
        with suppress(ValueError):
            # A link may be relative to the page it stands on (RFC 8288, section 3.1), and carries its own parameters.
            following = current.moved(self._base.relative(urljoin(current.target, link)))
            if following.target not in self._seen:
                self._seen.add(following.target)
                self.request = following
                return
        raise DecodeError("the link to the next page is malformed or leads back", path="Link")
