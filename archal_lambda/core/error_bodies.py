"""What the body of a failed response says, as far as an error or a log may show it.

This module owns which part of a service's words may be seen, and the bound within which they are looked for. It must
not know responses; what it is given is theirs.
"""

from __future__ import annotations

from typing import Any, cast

from archal_lambda.core.json import decode_plain
from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import guarded
from archal_lambda.errors import DecodeError

__all__ = ["Body", "error_body", "error_code", "error_message"]

Body = dict[str, Any] | list[Any] | None

# An envelope is some hundred bytes; without a limit, a body of 6 MB costs a second and 140 MB to look into.
_MAX_ENVELOPE = 64 * 1024
# Words as people and APIs write them, of letters alone but for numbers that are short: no token, address or URL.
_PLAIN_WORD = lazy(
    r"[A-Z]?[a-z]{0,20}(?:[A-Z][a-z]{1,19}){0,2}|[A-Z]{1,12}|\d{1,5}|x-[a-z]{1,20}(?:-[a-z]{1,20}){0,2}"
    r"|[a-z]{1,20}(?:_[a-z]{1,20}){1,4}|[A-Z]{1,16}(?:_[A-Z]{1,16}){1,4}"
    r"|[A-Za-z][a-z]{0,19}(?:[-'\u2019/][A-Za-z][a-z]{0,19}){1,2}"
)
# Neither what tokens of GitHub, Stripe and Slack begin with, nor a word that is longer than words are.
_PLAIN_CODE = lazy(
    r"(?!(?:gh[a-z]|[a-z]k|whsec|xox[a-z])_)(?=.{1,40}\Z)[a-z]{1,20}(?:_[a-z]{1,20})*"
)
_PUNCTUATION = ".,:;!?()[]{}\"'`\u2018\u2019\u201c\u201d"
# Services quote the values they turn down; an apostrophe within a word opens nothing. What is not closed goes on to the
# end: it may have been cut.
_QUOTED = lazy(
    r"(?<!\w)'[^']*(?:'(?!\w)|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|\u201c[^\u201d]*(?:\u201d|\Z)"
    r"|(?<!\w)\u2018[^\u2019]*(?:\u2019|\Z)|\u00ab[^\u00bb]*(?:\u00bb|\Z)"
)
_MAX_MESSAGE = 160
_MAX_CODES = 3
_LEFT_OUT = "\u2026"


@guarded
def error_body(content: bytes) -> Body:
    """Decode the body of a failed response, where it is a JSON object or array of a size that an envelope may have."""
    if not 0 < len(content) <= _MAX_ENVELOPE:
        return None
    try:
        body: object = decode_plain(content)
    except DecodeError:
        return None
    return cast("Body", body) if isinstance(body, dict | list) else None


@guarded
def error_message(body: Body) -> str:
    """Give the service's own words, as far as an error may show them; empty where there are none."""
    words = _shown(_message(body))
    codes = _codes(body)
    return f"{words} ({codes})".lstrip() if codes else words


@guarded
def error_code(body: Body) -> str | None:
    """Give the code of a failure, if it can be no credential."""
    error = _part(body, "error")
    named = (_part(body, "code"), error, _part(error, "code"), _part(error, "type"))
    codes = (one for one in named if isinstance(one, str) and _PLAIN_CODE.fullmatch(one))
    return next(codes, None)


def _message(body: Body) -> str:
    if not isinstance(body, dict):
        return ""
    error, first = body.get("error"), _first(body.get("errors"))
    coded = "code" in body  # which is shown by itself
    for found in (
        body.get("message"),
        _part(error, "message"),  # Stripe, Google
        body.get("error_description"),  # OAuth
        body.get("msg"),  # Supabase Auth
        None if coded or error else body.get("detail"),  # Sentry
        _first(body.get("errorMessages")),  # Jira
        None if _part(first, "field") else _part(first, "message"),  # Linear
        None if coded else error,  # Slack, GitLab
    ):
        if isinstance(found, str) and found.strip():
            return found
    return ""


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _first(value: object) -> object:
    return next(iter(_list(value)), None)


def _part(value: object, name: str) -> object:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _shown(text: str) -> str:
    # Cut behind the quotes: half of one would show its value.
    text = _QUOTED.sub(_LEFT_OUT, text[: _MAX_MESSAGE * 4]).strip().partition("\n")[0]
    shown: list[str] = []
    for word in text.split():
        core = word.strip(_PUNCTUATION)
        plain = not core or _PLAIN_WORD.fullmatch(core) is not None
        if plain or (shown[-1:] != [_LEFT_OUT]):
            shown.append(word if plain else _LEFT_OUT)
    if all(word == _LEFT_OUT for word in shown):
        return ""
    line = " ".join(shown)
    return line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE].rstrip()}{_LEFT_OUT}"


def _codes(body: Body) -> str:
    """Name fields and what is wrong with each, as GitHub does; never the value of one."""
    found: list[str] = []
    for one in _list(_part(body, "errors"))[:_MAX_CODES]:
        field, code = _part(one, "field"), _part(one, "code")
        if isinstance(code, str) and _PLAIN_WORD.fullmatch(code):
            plain = isinstance(field, str) and _PLAIN_WORD.fullmatch(field)
            found.append(f"{field}: {code}" if plain else code)
    return ", ".join(found)
