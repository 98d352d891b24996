"""Bodies as they may be shown: text without secrets, or no more than how large something is.

This module owns what in a body is a secret. It reads text as it is, whole or cut off, and leaves everything else in it
untouched, so that what is shown is what was sent. The local Archal's page and recordings have it in common. It must not
keep anything.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["HIDDEN", "Hider", "credentials", "is_text"]

HIDDEN = "[redacted]"
_MIN_SECRET = 6  # characters; anything shorter would be found inside of ordinary words
_DEPTH = 4  # of JSON inside of strings of JSON

# Names of fields; an author is nobody's secret, and neither is what begins with such a word as `keyword`.
_NAME = re.compile(
    r"token|secret|passw|pass_?phrase|\bpass$|pwd\b|credential|cookie|signature|\bauth$|_auth$|authorization"
    r"|keys?$|(?:\b|_)(?:cvc|cvv|(?:pin|otp|sig)$)|card\W?number",
    re.IGNORECASE,
)
# Names of header fields whose values may come again in a body.
_CARRIES = re.compile(rb"authorization|token|secret|cookie|api-?key|passw|passphrase|credential")
# What is a credential by its looks, whatever it is called. No pattern here may go over a text more than once.
_LOOKS = re.compile(
    r"(?<![\w-])(?:gh[pousr]_|github_pat_|archal_\w+_|xox[abeoprs]-|xapp-|[rs]k_(?:live|test)_|whsec_|lin_api_|AKIA|ASIA)"
    r"[A-Za-z0-9_-]{8,}"
    r"|(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+"
    r"|(?<=Bearer )(?!realm=)[\w.~+/=-]{6,}"
    r"|(?<=/bot)\d{6,}+:[\w-]{20,}+"  # in paths of Telegram
    r"|(?<=/services/)T\w++/B\w++/\w++"  # and of Slack's webhooks
    r"|(?<=://)[^\s/:@\"]++:[^\s/@\"]++(?=@)"  # user and password of a URL
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_PARAMETER = re.compile(r"([?&;]([\w.\[\]%~-]++)=)([^&\s\"'<>#\\;,]++)")  # of a URL within a text
_STRING = r'"(?:[^"\\]++|\\.)*+(?:"|\\?$)'
# A value that a name before `=` or `:` gives away, in whatever text: a query, lines of an environment, YAML, XML's
# attributes, a program. What JSON has for nothing is nothing to hide.
_GIVEN = (
    r"\"(?:[^\"\\]++|\\.)*+\"?|'[^'\n]*+'?|(?!(?:null|true|false|none)\b)[^\s\"'&;,<>{}()\[\]]++"
)
_ASSIGNED = re.compile(
    rf"(?<![\w.-])([\w.-]{{3,64}}+)(\]?[\"']?[ \t]{{0,3}}[:=][ \t]{{0,3}})({_GIVEN})", re.IGNORECASE
)
_EMPTY = ('""', "''")
_NAMED = re.compile(  # {"name": "API_KEY", "value": "…"}, as environments are written in JSON
    rf"(\"(?:name|key)\"\s{{0,9}}:\s{{0,9}}\"([\w.-]{{3,64}})\"\s{{0,9}},\s{{0,9}}\"value\"\s{{0,9}}:\s{{0,9}})({_STRING})",
    re.DOTALL,
)
_TOKEN = re.compile(rf"{_STRING}|[{{}}\[\],]|[^\s{{}}\[\],\"]+", re.DOTALL)
_COLON = re.compile(r"\s*:\s*")
_XML = re.compile(r"(<(?:[\w-]++:)?([\w-]++)[^<>]*+>)(<!\[CDATA\[.*?(?:\]\]>|$)|[^<]++)", re.DOTALL)
_TEXTUAL = re.compile(
    r"text/|application/(?:[\w.+-]+\+)?(?:json|xml|yaml|x-ndjson|graphql|javascript)"
    r"|application/x-www-form-urlencoded"
)
_PAIRS = re.compile(r"[\w.\[\]-]+=\S*")  # a form whose type was not said
_FORM = "application/x-www-form-urlencoded"


def is_text(media_type: str, content: bytes) -> bool:
    """Tell whether a body can be shown as text; one without a type can, if it looks like text."""
    if media_type and not _TEXTUAL.match(media_type):
        return False
    try:
        # A decoder that waits for more, because the last character may have been cut in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def credentials(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """List the secrets that came in header fields, each as it might come again."""
    found: list[str] = []
    for name, raw in headers:
        if not _CARRIES.search(name.lower()):
            continue
        value = raw.decode("latin-1")
        if name.lower().endswith(b"cookie"):
            found += [pair.partition("=")[2].strip() for pair in value.split(";")]
            continue
        scheme, _, rest = value.strip().partition(" ")
        found.append(rest.strip() or scheme)
        if scheme.lower() == "basic":
            found += _basic(rest)
    return [secret for secret in found if len(secret) >= _MIN_SECRET]


def _basic(encoded: str) -> Sequence[str]:
    try:
        pair = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ()
    user, _, password = pair.partition(":")
    # Many services take a token as the name, with nothing or a word of no account beside it.
    return (pair, user, password) if not password else (pair, password)


class Hider:
    """Hides the known secrets, what is a secret by its field's name, and what is one by its looks."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spelled = {form for secret in secrets for form in (secret, quote_plus(secret))}
        # The longest first: one may be part of another.
        self._secrets = sorted(spelled, key=len, reverse=True)

    def text(self, text: str, media_type: str) -> str:
        """Give a body's text without secrets."""
        if media_type == _FORM or (media_type in {"", "text/plain"} and _PAIRS.fullmatch(text)):
            return self.plain("&".join(self._pair(pair) for pair in text.split("&")))
        if "xml" in media_type or "html" in media_type:
            return self.plain(_XML.sub(_element, text))
        return self.plain(self._json(text))

    def plain(self, text: str) -> str:
        """Hide in a text that has no fields."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _PARAMETER.sub(_parameter, _LOOKS.sub(HIDDEN, text))
        return _NAMED.sub(_named, _without_assigned(text))

    def part(self, raw: str) -> str:
        """Hide in a part of a URL, which is given decoded where its coding would hide a secret from this."""
        shown, plain = self.plain(raw), unquote(raw)
        hidden = self.plain(plain)
        return shown if hidden == plain or hidden == unquote(shown) else hidden

    def field(self, name: str, value: str) -> str:
        """Give the value of a field of this name."""
        return HIDDEN if _NAME.search(name.rstrip("]")) else self.text(value, "application/json")

    def _pair(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        value = unquote_plus(value)
        if not equals or not value:
            return pair
        shown = self.field(unquote_plus(name), value)
        return pair if shown == value else f"{name}={quote_plus(shown, safe='[]')}"

    def _json(self, text: str, depth: int = 0) -> str:
        """Hide in JSON, whole or cut off, one text or many, as in an event stream."""
        pieces: list[str] = []
        done = 0
        hidden_until = -1
        for token in _TOKEN.finditer(text):
            if token.start() < hidden_until or not token[0].startswith('"'):
                continue
            colon = _COLON.match(text, token.end())
            pieces.append(text[done : token.start()])
            done = token.end()
            if colon is None or not _NAME.search(_unquoted(token[0])):
                pieces.append(self._string(token[0], depth))
                continue
            end = _value_end(text, colon.end())
            value = text[colon.end() : end]
            pieces.append(token[0] + colon[0])
            pieces.append(value if value in {"null", '""', "true", "false"} else f'"{HIDDEN}"')
            done = hidden_until = end
        return "".join([*pieces, text[done:]])

    def _string(self, token: str, depth: int) -> str:
        if "\\" not in token:
            return token  # whose secrets are found in the whole text
        inner = _unquoted(token)
        # A string may hold JSON, as that of an MCP result does.
        shown = self._json(inner, depth + 1) if '"' in inner and depth < _DEPTH else inner
        shown = self.plain(shown)
        return token if shown == inner else json.dumps(shown, ensure_ascii=False)


def _unquoted(token: str) -> str:
    try:
        text = json.loads(token, strict=False)
    except ValueError:
        return token.strip('"')
    return text if isinstance(text, str) else token


def _value_end(text: str, start: int) -> int:
    """Find where the JSON value that begins here ends; the end of the text, if it is cut off."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        if depth < 0 or (depth == 0 and token[0] == ","):
            return token.start()
        if depth == 0:
            return token.end()
    return len(text)


def _without_assigned(text: str) -> str:
    pieces: list[str] = []
    done = at = 0
    while match := _ASSIGNED.search(text, at):
        name, value = match[1], match[3]
        if not _NAME.search(name) or HIDDEN in value or value in _EMPTY:
            at = match.end(2)  # its value may have names of its own, as the query of a URL
            continue
        quote = value[0] if value[0] in "\"'" else ""
        pieces += [text[done : match.start(3)], quote, HIDDEN, quote]
        done = at = match.end()
    return "".join([*pieces, text[done:]])


def _named(match: re.Match[str]) -> str:
    return f'{match[1]}"{HIDDEN}"' if _NAME.search(match[2]) else match[0]


def _element(match: re.Match[str]) -> str:
    return match[1] + HIDDEN if _NAME.search(match[2]) else match[0]


def _parameter(match: re.Match[str]) -> str:
    return match[1] + HIDDEN if _NAME.search(unquote_plus(match[2]).rstrip("]")) else match[0]
