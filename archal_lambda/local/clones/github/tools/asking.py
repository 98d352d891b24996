"""How every tool asks the clone, and the arguments that many of them share.

This module owns the paths, the success rule and the words of a failure, which are those of GitHub's own server. It must
not know any single tool.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote

import msgspec

from archal_lambda.core.services import SERVICES
from archal_lambda.local.clones.mcp.catalogue import BadArgumentError, ToolFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archal_lambda.local.clones.mcp.rest import Reply, Rest

__all__ = [
    "IssueArguments",
    "RepoArguments",
    "ask",
    "every",
    "given",
    "path_of",
    "required",
]

_ORIGIN = f"https://{SERVICES['github'].hosts[0]}"

T = TypeVar("T")

_MOST = 100  # items on a page


class RepoArguments(msgspec.Struct, frozen=True, kw_only=True):
    """Which repository a tool is about."""

    owner: Annotated[str, msgspec.Meta(description="Login of the repository's owner")]
    repo: Annotated[str, msgspec.Meta(description="Name of the repository")]


class IssueArguments(RepoArguments, frozen=True, kw_only=True):
    """Which issue a tool is about."""

    issue_number: Annotated[int, msgspec.Meta(description="Number of the issue")]


class _Refusal(msgspec.Struct, frozen=True):
    """An error response of GitHub."""

    message: str = ""
    errors: list[dict[str, object]] = []


def path_of(template: str, **parts: object) -> str:
    """Fill a path template; slashes stay where a part is a path."""
    quoted = {
        name: quote(str(part), safe="/" if name == "path" else "") for name, part in parts.items()
    }
    return template.format(**quoted)


def given(arguments: msgspec.Struct, *names: str) -> dict[str, object]:
    """Pick the arguments that were given."""
    found = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in found.items() if value is not msgspec.UNSET}


def required(value: T | msgspec.UnsetType, name: str) -> T:
    """Refuse an argument that is missing where the chosen method needs it."""
    if value is msgspec.UNSET:
        raise BadArgumentError(f"missing required parameter: {name}")
    return value


async def ask(  # noqa: PLR0913 - what a request consists of
    rest: Rest,
    doing: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, object] | None = None,
    body: object = None,
) -> Any:  # noqa: ANN401 - decoded JSON of the clone, whose shapes its own tests hold
    """Ask the clone and decode what it gives; a refusal is told in GitHub's words, after what was tried."""
    reply = await rest(method, path, query=query, body=body)
    if not reply.is_success:
        raise ToolFailedError(f"failed to {doing}: {method} {_ORIGIN}{path}: {_words(reply)}")
    return json.loads(reply.body) if reply.body else None


async def every(
    rest: Rest, doing: str, path: str, query: Mapping[str, object] | None = None
) -> list[Any]:
    """Ask for all pages of a list."""
    found: list[Any] = []
    page = 0
    while len(found) == page * _MOST:
        page += 1
        asked = {**(query or {}), "per_page": _MOST, "page": page}
        found += await ask(rest, doing, "GET", path, query=asked)
    return found


def _words(reply: Reply) -> str:
    refusal = msgspec.json.decode(reply.body, type=_Refusal)
    details = [
        "{" + " ".join(f"{name.title()}:{value}" for name, value in error.items()) + "}"
        for error in refusal.errors
    ]
    return f"{reply.status} {refusal.message} [{' '.join(details)}]"
