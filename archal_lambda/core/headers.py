"""HTTP header fields as a value.

This module owns lookup, repetition and redaction of headers, the rules for headers that callers give, and the reading
of `Link`.
It must not decide which headers a call gets.
"""
# Annotations are evaluated here, so that the hints of public values resolve wherever they are asked for.

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar, cast, overload

from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import Secret, guarded
from archal_lambda.core.values import Immutable, checked_pairs, pairs_of

__all__ = [
    "HeaderInput",
    "Headers",
    "check_header",
    "check_headers",
    "next_link",
    "reserved_reason",
    "with_token_names",
]

HeaderInput = Mapping[str, str | Secret] | Iterable[tuple[str, str | Secret]]

T = TypeVar("T")

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2: token
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")  # RFC 9110, section 5.5, obs-text kept
_TARGET = lazy(r"[\s,]*<([^<>]*)>")
# A parameter is a token with an optional value, bare or quoted (RFC 8288, section 3).
_PARAMETER = lazy(r'\s*;\s*([^\s=;,]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')

# RFC 9110, section 7.6.1, and the two that the transport alone may set because they frame the message.
_CONNECTION_LEVEL = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class _HeadersDraft:
    __slots__ = ("_index", "_lines", "_pairs")


class Headers(Immutable, _HeadersDraft, Mapping[str, str], init=False):
    """Immutable header fields: any case on lookup, order and repetition kept.

    Args:
        pairs: Names and values in the order they are sent or came.
    """

    __module__ = "archal_lambda"
    __slots__ = ()

    # Made of each other when they are first needed; one of the first two is always there.
    _pairs: tuple[tuple[str, str], ...] | None
    _lines: bytes | None
    _index: dict[str, str] | None

    @guarded
    def __new__(cls, pairs: HeaderInput = ()) -> Self:
        """Copy the pairs, with secrets revealed."""
        return cls.of(_revealed(pairs_of(pairs)))

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Make headers of plain pairs, without a look for secrets among them."""
        draft: Any = _HeadersDraft()
        draft._pairs = tuple(pairs)  # noqa: SLF001 - a field of what it becomes
        draft._lines = draft._index = None  # noqa: SLF001 - the same
        return cls.seal(draft)

    @classmethod
    def of_lines(cls, lines: bytes, index: dict[str, str] | None = None) -> Self:
        """Make headers of checked lines as they travel, each with its end; they are taken apart when somebody looks.

        `index` has the values by their names in lower case, where that is known.
        """
        draft: Any = _HeadersDraft()
        draft._pairs = None  # noqa: SLF001 - a field of what it becomes
        draft._lines = lines  # noqa: SLF001 - the same
        draft._index = index  # noqa: SLF001 - the same
        draft.__class__ = cls  # as `seal` does; each call comes by here three times
        return draft  # type: ignore[no-any-return]  # it is one now

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every field as it stands, repeated ones repeated."""
        pairs = self._pairs
        if pairs is None:
            text = (self._lines or b"").decode("latin-1")
            lines = (line.partition(":") for line in text.split("\r\n")[:-1])
            pairs = tuple((name, value.strip(" \t")) for name, _, value in lines)
            _remember_pairs(self, pairs)  # as with the index below
        return pairs

    @property
    def lines(self) -> bytes:
        """Every field as it travels (RFC 9112, section 5), of checked headers."""
        lines = self._lines
        if lines is None:
            fields = [f"{name}: {value}\r\n" for name, value in self.pairs]
            lines = "".join(fields).encode("latin-1")
            _remember_lines(self, lines)  # as with the index below
        return lines

    @guarded
    def get_all(self, name: str) -> list[str]:
        """Return every value of a repeated field.

        Args:
            name: The field name, in any case.

        Returns:
            The values in order; empty if there is no such field.
        """
        wanted = name.lower()
        return [value for key, value in self.pairs if key.lower() == wanted]

    @guarded  # a mapping is itself what reporters walk into
    def __getitem__(self, name: str) -> str:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise KeyError(name)
        return self._lookup()[name.lower()]

    @overload
    def get(self, key: str, /) -> str | None: ...

    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...

    def get(self, key: object, /, default: str | T | None = None) -> str | T | None:
        """Return the value of a field, repeated ones joined by commas.

        Args:
            key: The field name, in any case.
            default: What to return if there is no such field.

        Returns:
            The value, or the default.
        """
        # Not the mapping's own, which looks for an exception: most lookups find nothing.
        return self._lookup().get(key.lower(), default) if isinstance(key, str) else default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lookup()

    @property
    def by_name(self) -> Mapping[str, str]:
        """The values by their names in lower case, as a plain mapping, which is faster to ask."""
        return self._index or self._lookup()

    def _lookup(self) -> dict[str, str]:
        known = self._index
        if known is not None:
            return known
        index: dict[str, str] = {}
        repeated: dict[str, list[str]] = {}
        for key, value in self.pairs:
            lower = key.lower()
            if lower in index:
                repeated.setdefault(lower, [index[lower]]).append(value)
            else:
                index[lower] = value
        # RFC 9110, section 5.3: repeated fields may be joined by a comma; at once, for there may be thousands.
        if repeated:
            index |= {lower: ", ".join(values) for lower, values in repeated.items()}
        _remember(self, index)  # found when it is first needed; the value stays what it is
        return index

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup())

    def __len__(self) -> int:
        return len(self._lookup())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._lookup() == dict(cast("Mapping[str, str]", other).items())

    def __hash__(self) -> int:
        return hash(frozenset(self._lookup().items()))

    def _fields(self) -> dict[str, Any]:
        return {"pairs": self.pairs}

    @classmethod
    @guarded
    def restore(cls, fields: dict[str, Any]) -> Self:
        """Make the headers anew, as pickles keep them."""
        return cls.of(fields["pairs"])

    def __repr__(self) -> str:
        return f"<Headers {', '.join(name for name, _ in self.pairs) or 'none'}>"


# Set past the value itself, which refuses: a slot has its own way to be set.
_remember: Callable[[Headers, dict[str, str]], None] = vars(_HeadersDraft)["_index"].__set__
_remember_lines: Callable[[Headers, bytes], None] = vars(_HeadersDraft)["_lines"].__set__
_remember_pairs: Callable[[Headers, tuple[tuple[str, str], ...]], None] = vars(_HeadersDraft)[
    "_pairs"
].__set__


def _revealed(pairs: Iterable[tuple[str, str | Secret]]) -> list[tuple[str, str]]:
    return [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in pairs]


_NONE = Headers.of(())


def with_token_names(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Read fields whose names have blanks: those behind a name are removed, a field with one within is left out.

    RFC 9112, section 5.1. Here, because on some hosts such names are the host's to read.
    """
    stripped = ((name.rstrip(" \t"), value) for name, value in pairs)
    return [(name, value) for name, value in stripped if _NAME.fullmatch(name)]


def check_header(name: object, value: object) -> None:
    """Refuse a field that could break the framing of a message; a `ValueError` that does not show the value."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        # Not shown: a whole "Name: value" line given as the name would carry its secret along.
        raise ValueError("a header name is not an HTTP token (RFC 9110, section 5.6.2)")
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        raise ValueError(f"header {name}: the value must be a string")  # noqa: TRY004 - one error for every bad header
    if _BAD_VALUE.search(text) is not None:
        raise ValueError(
            f"header {name}: the value contains a character that no header may contain"
        )


def reserved_reason(name: str) -> str | None:
    """Say why a caller may not set this header, or None where the caller may."""
    lower = name.lower()
    if lower in _CONNECTION_LEVEL:
        return "belongs to the connection and is set by the transport"
    # Servers that speak CGI or WSGI do not tell underscores from dashes.
    if lower.replace("_", "-").startswith(("x-route-", "x-archal-")):
        return "is a route header; it comes from the settings alone"
    return None


def check_headers(pairs: HeaderInput | None) -> "Headers":
    """Validate the headers that a caller gives for one call: none malformed, of the connection, or of the route."""
    if pairs is None:
        return _NONE
    items = checked_pairs(pairs, what="headers")
    for name, value in items:
        check_header(name, value)
        reason = reserved_reason(name)
        if reason is not None:
            raise ValueError(f"header {name} {reason}")
    return Headers.of(_revealed(items))


def next_link(value: str) -> str | None:
    """Find the target of the first link whose `rel` contains `next` in the value of a `Link` header, or None.

    Sentry names a next page behind the last one as well, and says `results="false"` there: that is none.
    """
    at = 0
    while target := _TARGET.match(value, at):
        at = target.end()
        given: dict[str, str] = {}
        while parameter := _PARAMETER.match(value, at):
            at = parameter.end()
            # Only the first rel counts (RFC 8288, section 3.3).
            given.setdefault(parameter[1].lower(), (parameter[2] or parameter[3] or "").lower())
        if "next" in given.get("rel", "").split():
            return None if given.get("results") == "false" else target[1]
    return None
