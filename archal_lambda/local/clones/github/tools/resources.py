"""The files of a repository as resources.

This module owns the URIs, which are those of GitHub's MCP server, and what is text.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from archal_lambda.local.clones.github.tools.asking import path_of

if TYPE_CHECKING:
    from archal_lambda.local.clones.mcp.catalogue import Json
    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["TEMPLATES", "contents", "read", "uri_of"]

_BRANCH = "refs/heads/"
TEMPLATES: tuple[Json, ...] = (
    {
        "name": "repository_content",
        "uriTemplate": "repo://{owner}/{repo}/contents{/path*}",
        "description": "A file of a repository",
    },
    {
        "name": "repository_content_branch",
        "uriTemplate": "repo://{owner}/{repo}/refs/heads/{branch}/contents{/path*}",
        "description": "A file of a repository on a branch",
    },
    {
        "name": "repository_content_commit",
        "uriTemplate": "repo://{owner}/{repo}/sha/{sha}/contents{/path*}",
        "description": "A file of a repository at a commit",
    },
)
_URI = re.compile(
    r"repo://([^/]+)/([^/]+)(?:/refs/heads/(?P<branch>[^/]+)|/sha/(?P<sha>[^/]+))?/contents/(?P<path>.+)"
)


def uri_of(owner: str, repo: str, path: str, *, ref: str) -> str:
    """Write the URI of a file; `ref` is a branch or a commit, or empty."""
    where = ""
    if ref.startswith(_BRANCH):
        where = f"/{_BRANCH}{quote(ref.removeprefix(_BRANCH), safe='')}"
    elif ref:
        where = f"/sha/{quote(ref, safe='')}"
    return f"repo://{quote(owner)}/{quote(repo)}{where}/contents/{quote(path)}"


async def read(rest: Rest, uri: str) -> Json | None:
    """Read a file by its URI; None if there is none."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    owner, repo, path = (unquote(match[part]) for part in (1, 2, "path"))
    url = path_of("/repos/{owner}/{repo}/contents/{path}", owner=owner, repo=repo, path=path)
    query = {"ref": unquote(match["branch"] or match["sha"] or "")}
    reply = await rest("GET", url, query=query, accept="application/vnd.github.raw+json")
    if not reply.is_success or "raw" not in reply.media_type:  # JSON is that of a directory
        return None
    return contents(path, reply.body)


def contents(path: str, body: bytes) -> Json:
    """Render the content of a file, as text wherever it is some."""
    kind = "text/markdown" if path.endswith(".md") else mimetypes.guess_type(path)[0]
    try:
        return {"mimeType": kind or "text/plain", "text": body.decode()}
    except UnicodeDecodeError:
        blob = base64.b64encode(body).decode()
        return {"mimeType": kind or "application/octet-stream", "blob": blob}
