"""Our reader against h11: the same response and the same rest, or refused with an error of our own.

`FUZZ_RESPONSES=1000000` makes so many mutated responses instead of a second's worth; `FUZZ_SEED` is
the number they begin with.
"""

from __future__ import annotations

import os
import random
import re

import pytest
from support.fuzz_response import SEEDS, TOKENS
from support.h11_oracle import Read, Refused, ours, shortcut, theirs
from support.real_responses import BODY, RESPONSES

COUNT = int(os.environ.get("FUZZ_RESPONSES", "6000"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
START = [*RESPONSES.values(), *[seed for seed in SEEDS if len(seed) < 900]]

# What h11 takes and we refuse, by our reason: what the response must contain for that, and why we do.
STRICTER = {
    # Versions we do not speak may frame their bodies by other rules.
    "it is not HTTP/1.1": rb"^HTTP/[^1]",
    "the status line is malformed": rb"(^|\n)HTTP/(1\.[^01]|[^1]\.)| 0\d\d",
    # Readers differ on where a fold ends a name that frames the body; it is how responses are smuggled.
    "a header field that frames the body is malformed": rb"\n[ \t]",
    # RFC 9112, section 6.3, allows to take `2, 2` for 2, and no length has nineteen digits.
    "the content length is malformed": rb"(?i)content-length:[^\r\n]*(,|\d{19})",
    # A trailer has CRLF and no folds: nobody sends others, and they are the last line before the next response.
    "a trailer is malformed": rb"(?s)\n0+[ \t]*(;[^\n]*)?\r\n.*((?<!\r)\n|\n[ \t])",
    # A bare CR or NUL in an extension is read as a line end by some; a chunk of 2**64 bytes is an attack.
    "a chunk size is malformed": rb"[0-9a-fA-F];[^\n]*([\r\0][^\n])|[0-9a-fA-F]{17}",
    # h11 leaves content codings to its caller.
    "the body does not match its content coding": rb"(?i)content-encoding",
    "the coded body is incomplete": rb"(?i)content-encoding",
    "the body has too many content codings": rb"(?i)content-encoding",
    "too large": rb"",
}
# What we take and h11 refuses, and why we do.
LAXER = {
    # RFC 9112, section 5.1: removed behind a name. The connection is dropped.
    "blanks in a name": rb"\n[^\s:]+[ \t][^\r\n:]*:",
    # RFC 9110, section 5.5, allows to keep control characters; these two h11 takes for blanks.
    "a form feed or vertical tab in a line": rb"[\x0b\x0c]",
    # RFC 9112, section 6.3: it has no body, whatever its fields say.
    "an interim response with a frame": rb"(?is)HTTP/1.[01] 1\d\d.*(content-length|transfer-encoding)",
    # RFC 9112, section 7.1.2: trailers may be dropped, as we do, and frame nothing.
    "a trailer with a frame": rb"(?is)\n0+[ \t]*(;[^\n]*)?\r\n.*(content-length|transfer-encoding)",
    # RFC 9112, section 7.1.1: blanks may come before an extension.
    "blanks before a chunk extension": rb"\n[0-9a-fA-F]+[ \t]+;",
}


def differs_by_design(reasons, data):
    return any(re.search(pattern, data) for pattern in reasons)


def check(method, data):
    """Compare what both make of a response."""
    mine, oracle = ours(method, data), theirs(method, data)
    usual = shortcut(method, data)
    assert usual is None or usual[0] == mine
    lax = differs_by_design(LAXER.values(), data)
    if isinstance(mine, Read):
        if isinstance(oracle, Refused):
            assert lax, oracle.reason
            return
        assert mine == oracle
        # h11 keeps no connection of HTTP/1.0; we do where it is asked for.
        assert oracle.persistent or not mine.persistent or data.count(b"HTTP/1.0")
        return
    if mine.early:
        # Whatever comes behind it.
        assert ours(method, data + b"\r\n\r\n0\r\n\r\n") == mine
    else:
        # What may yet become a response is a lost connection, and nothing else is.
        assert lax or not (isinstance(oracle, Refused) and oracle.early), oracle.reason
    if isinstance(oracle, Read) and oracle.body is not None:
        assert mine.reason in STRICTER, mine.reason
        assert differs_by_design([STRICTER[mine.reason]], data), mine.reason


def mutated(rng):
    """Change a response in a few places: bytes, or whole lines."""
    data = rng.choice(START)
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + rng.choice([0, 1, 2, 5, 40]))
        kind = rng.randrange(8)
        if kind == 0:
            data = data[:start] + rng.choice(TOKENS) + data[end:]
        elif kind == 1:
            data = data[:start] + rng.randbytes(rng.randint(1, 3)) + data[end:]
        elif kind == 2:
            data = data[:start] + data[end:]
        elif kind == 3:
            data = data[:start]
        elif kind == 4:
            data += rng.choice(START)
        else:
            lines = data.split(b"\n")
            at = rng.randrange(len(lines))
            other = rng.choice(rng.choice(START).split(b"\n"))
            blank = rng.choice([b" ", b"\t", b"\r\n ", b"\x0b", b"\r"])
            lines[at] = rng.choice([
                lines[at] + b"\n" + lines[at], other, lines[at] + b"\n" + other, blank + lines[at],
                lines[at].replace(b":", blank + b":", 1), lines[at].replace(b":", b":" + blank, 1),
                lines[at].rstrip(b"\r"), lines[at].swapcase(),
            ])  # fmt: skip
            data = b"\n".join(lines)
    return data


@pytest.mark.parametrize("name", RESPONSES)
def test_real_responses_are_read_alike(name):
    """They are taken, so that the mutations start from something."""
    data = RESPONSES[name]
    for method in ("GET", "HEAD"):
        for rest in (b"", b"HTTP/1.1 200 OK\r\n"):
            mine = ours(method, data + rest)
            assert mine == theirs(method, data + rest)
            assert isinstance(mine, Read)
    assert ours("GET", data).body in {BODY, b"", b"<html>"}


def test_mutated_responses_are_read_alike_or_refused():
    """The same status, headers, body and rest; the differences that are meant are told above."""
    rng = random.Random(SEED)  # noqa: S311 - no secret
    taken = 0
    for number in range(COUNT):
        data = mutated(rng)
        method = rng.choice(["GET", "GET", "POST", "HEAD"])
        try:
            check(method, data)
        except Exception as error:
            error.add_note(f"number {number} of seed {SEED}: {method} {data!r}")
            raise
        taken += isinstance(ours(method, data), Read)
    assert taken > COUNT / 10
