"""The last requests with their bodies, for whoever looks at the local Archal.

This module owns the numbers of requests and how much of them is kept. It keeps bodies as they were sent, so that a call
pays for no more than a reference, and must give nothing of them away but through `shown`, without secrets.
"""

from __future__ import annotations

import secrets as secrets_
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.testing.shown import Hider, credentials, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message

    from archal_lambda.local.server.records import RecordedRequest, Redactor

__all__ = ["Kept", "Traffic"]

_MAX_REQUESTS = 1000  # whose records are kept
_MAX_BODY = 65_536  # bytes kept of each body
_MAX_BODIES = 16_777_216  # bytes kept of all bodies; the oldest ones go first
_MAX_SECRETS = 200  # the last ones seen, which are looked for in every body
_LONGEST_WORD = 4096  # characters, which a secret may have
_Pairs = list[tuple[bytes, bytes]]


class _Body:
    """The beginning of one body, and the size of the whole."""

    __slots__ = ("coding", "content", "dropped", "size", "type")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        fields = {name.lower(): value.decode("latin-1") for name, value in headers}
        self.type = fields.get(b"content-type", "").partition(";")[0].strip().lower()
        self.coding = fields.get(b"content-encoding", "")
        self.content = b""
        self.size = 0
        self.dropped = False

    def add(self, chunk: bytes) -> int:
        """Keep what there is room for; give its size."""
        self.size += len(chunk)
        room = 0 if self.dropped else _MAX_BODY - len(self.content)
        kept = chunk[:room] if room > 0 else b""
        self.content = self.content + kept if self.content else kept
        return len(kept)

    def drop(self) -> int:
        """Forget the content; give its size."""
        size = len(self.content)
        self.content, self.dropped = b"", True
        return size

    def shown(self, hider: Hider) -> dict[str, object]:
        """Render it: `text` without secrets, or a `note` why there is none."""
        text, note = None, None
        if self.size == 0:
            note = "empty"
        elif self.dropped:
            note = "no longer kept"
        elif self.coding not in {"", "identity"} or not is_text(self.type, self.content):
            note = "not shown, because it is not text"
        else:
            text = self.content.decode("utf-8", "replace")
            if len(self.content) < self.size:
                text = _whole_words(text)
            text = hider.text(text, self.type)
            if len(self.content) < self.size:
                note = f"only the first {len(self.content)} bytes are kept"
        return {"type": self.type or None, "size": self.size, "text": text, "note": note}


class Kept:
    """One request, and as much of the response as was sent so far."""

    __slots__ = (
        "_traffic",
        "number",
        "record",
        "request",
        "response",
        "response_headers",
        "secrets",
    )

    def __init__(
        self,
        traffic: Traffic,
        number: int,
        record: RecordedRequest,
        headers: _Pairs,
        secrets: list[str],
    ) -> None:
        self._traffic = traffic
        self.number = number
        self.record = record
        self.secrets = secrets
        self.request = _Body(headers)
        self.response_headers: _Pairs = []
        self.response = _Body(())

    def begin(self, message: Message) -> None:
        """Take the head of the response."""
        self.response_headers = list(message.get("headers", ()))
        self.response = _Body(self.response_headers)

    def take(self, message: Message) -> None:
        """Take a piece of the response's body."""
        self._traffic.keep(self, self.response, message.get("body", b""))


class Traffic:
    """The last requests, by number from 1 up; used on the server's loop alone."""

    def __init__(self, redactor: Redactor, secrets: Iterable[str]) -> None:
        self.run = secrets_.token_hex(
            8
        )  # by which a page knows another server, which counts from 1
        self._redactor = redactor
        self._secrets = tuple(secrets)
        self._seen: dict[str, None] = {}
        self._kept: deque[Kept] = deque(maxlen=_MAX_REQUESTS)
        self._with_bodies: deque[Kept] = deque()
        self._bytes = 0
        self.last = 0

    def add(self, record: RecordedRequest, headers: _Pairs, body: bytes) -> Kept:
        """Keep a request whose response begins."""
        secrets = credentials(headers)
        for secret in secrets:
            self._seen.pop(secret, None)  # the last one used is the last to be forgotten
            self._seen[secret] = None
        while len(self._seen) > _MAX_SECRETS:
            del self._seen[next(iter(self._seen))]
        if len(self._kept) == _MAX_REQUESTS:
            self._forget(self._kept[0])
        self.last += 1
        kept = Kept(self, self.last, record, headers, secrets)
        self._kept.append(kept)
        self._with_bodies.append(kept)
        self.keep(kept, kept.request, body)
        return kept

    def keep(self, kept: Kept, body: _Body, chunk: bytes) -> None:
        """Keep a piece of a body, for which older ones may have to go."""
        self._bytes += body.add(chunk)
        while self._bytes > _MAX_BODIES and self._with_bodies[0] is not kept:
            self._forget(self._with_bodies[0])

    def after(self, number: int) -> list[dict[str, object]]:
        """Render the records that came after a number, oldest first."""
        if number >= self.last:
            return []
        return [_rendered(kept) for kept in self._kept if kept.number > number]

    def one(self, number: int) -> dict[str, object] | None:
        """Render a request with its bodies, or None where it is not kept."""
        first = self._kept[0].number if self._kept else 1
        if not first <= number <= self.last:
            return None
        kept = self._kept[number - first]
        hider = Hider([*self._secrets, *self._seen, *kept.secrets])
        return {
            **_rendered(kept),
            "requestBody": kept.request.shown(hider),
            "responseHeaders": [
                (name, hider.plain(value))
                for name, value in self._redactor.headers(kept.response_headers)
            ],
            "responseBody": kept.response.shown(hider),
        }

    def _forget(self, kept: Kept) -> None:
        self._bytes -= kept.request.drop() + kept.response.drop()
        if self._with_bodies and self._with_bodies[0] is kept:
            self._with_bodies.popleft()


def _whole_words(text: str) -> str:
    """Leave out the last word, whose end is missing: it may be the beginning of a secret."""
    last = text[-_LONGEST_WORD:]
    end = max(last.rfind(mark) for mark in " \t\r\n\"'<>&,;") + 1
    return text[: len(text) - len(last) + end]


def _rendered(kept: Kept) -> dict[str, object]:
    return {"number": kept.number, "answeredBy": _answerer(kept.record), **_camel(kept.record)}


def _answerer(record: RecordedRequest) -> str:
    """Tell who gave the response: the clone, the route before it, or the control plane."""
    if record.clone_saw is not None:
        return "clone"
    return "route" if record.path.startswith("/runtime/") else "control plane"


def _camel(record: msgspec.Struct) -> dict[str, object]:
    """Render a Struct by its fields, whichever there are, named as JSON has them."""
    values = ((name, getattr(record, name)) for name in record.__struct_fields__)
    return {
        _spelled(name): _camel(value) if isinstance(value, msgspec.Struct) else value
        for name, value in values
    }


def _spelled(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
