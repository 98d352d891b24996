"""Operations on file contents (GitHub docs, rest/repos/contents), and their JSON shapes.

This module owns their rules: one branch, one commit per change, and the blob's hash as a guard against lost updates.
It must not route, and its shapes must not change anything.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from archal_lambda.local.clones.github.call import (
    Call,
    GitHubError,
    invalid_request,
    json_response,
    not_found,
)
from archal_lambda.local.clones.github.http import Resource
from archal_lambda.local.clones.github.model import Signature, blob_sha, tree_sha, when
from archal_lambda.local.clones.github.views import Json, repo_url

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.model import Commit, Repo

__all__ = ["ROUTES"]

_LONGEST_PATH = 4096  # characters; as on the file systems that git writes to
_BASE64_LINE = 60  # characters; GitHub breaks lines there
# GitHub docs, rest/using-the-rest-api/getting-started: media types; Octokit writes the version, too.
_RAW = re.compile(r"application/vnd\.github(\.v3)?\.raw(\+json)?")


class _Person(msgspec.Struct, frozen=True):
    """Author or committer."""

    name: str
    email: str
    date: str | None = None


class _ContentBody(msgspec.Struct, frozen=True, kw_only=True):
    """Body of creating, updating and deleting a file."""

    message: str | None = None
    content: str | None = None
    sha: str | None = None
    branch: str | None = None
    author: _Person | None = None
    committer: _Person | None = None


def _get_contents(call: Call) -> Response:
    repo = call.repo()
    _check_branch(repo, call.query("ref"))
    path = str(call.request.path_params.get("path", "")).strip("/")
    if path in repo.files:
        if _wants_raw(call.request.headers.get("accept", "")):
            raw = {"content-type": "application/vnd.github.raw+json; charset=utf-8"}
            return Response(repo.files[path], headers=raw)
        return json_response(_file_view(call.base, repo, path))
    if not repo.files:
        raise GitHubError(404, "This repository is empty.")
    found = _directory_view(call.base, repo, path)
    if not found:
        raise not_found()
    return json_response(found)


def _wants_raw(accept: str) -> bool:
    ranges = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return any(_RAW.fullmatch(media) for media in ranges)


def _put_contents(call: Call) -> Response:
    repo = call.repo(write=True)
    body = call.decode(_ContentBody)
    path = _checked_path(call, repo)
    if body.content is None:
        raise invalid_request('"content" wasn\'t supplied.')
    content = _decoded(body.content)
    existed = path in repo.files
    _check(repo, path, body, needs_sha=existed)
    made = _commit(call, repo, path, content, body)
    view = {
        "content": _entry_view(call.base, repo, path),
        "commit": _commit_view(call.base, repo, made),
    }
    return json_response(view, status=200 if existed else 201)


def _delete_contents(call: Call) -> Response:
    repo = call.repo(write=True)
    body = _delete_body(call)
    path = call.path("path")
    if path not in repo.files:
        raise not_found()
    _check(repo, path, body, needs_sha=True)
    made = _commit(call, repo, path, None, body)
    return json_response({"content": None, "commit": _commit_view(call.base, repo, made)})


def _delete_body(call: Call) -> _ContentBody:
    # Some clients cannot send a body with DELETE; GitHub reads the query string as well.
    if call.body:
        return call.decode(_ContentBody)
    return call.convert(dict(call.request.query_params), _ContentBody)


def _check(repo: Repo, path: str, body: _ContentBody, *, needs_sha: bool) -> None:
    _check_branch(repo, body.branch)
    if not body.message:
        raise invalid_request('"message" wasn\'t supplied.')
    if needs_sha and not body.sha:
        raise invalid_request('"sha" wasn\'t supplied.')
    stored = repo.files.get(path)
    if body.sha and (stored is None or blob_sha(stored) != body.sha):
        raise GitHubError(409, f"{path} does not match {body.sha}")


def _check_branch(repo: Repo, branch: str | None) -> None:
    names = {repo.default_branch, f"refs/heads/{repo.default_branch}"}
    if branch and branch not in names and (repo.head is None or branch != repo.head.sha):
        raise GitHubError(404, f"No commit found for the ref {branch}")


def _checked_path(call: Call, repo: Repo) -> str:
    path = call.path("path")
    segments = path.split("/")
    malformed = any(segment in {"", ".", "..", ".git"} for segment in segments) or "\x00" in path
    if malformed or len(path) > _LONGEST_PATH:
        raise GitHubError(422, "path contains a malformed path component")
    parents = {"/".join(segments[:end]) for end in range(1, len(segments))}
    is_directory = any(name.startswith(f"{path}/") for name in repo.files)
    if is_directory or parents & repo.files.keys():
        raise GitHubError(422, "path is in the way of a file or a directory")
    return path


def _decoded(content: str) -> bytes:
    try:
        # Encoders break lines, so white space is not a mistake.
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise GitHubError(422, "content is not valid Base64") from None


def _commit(call: Call, repo: Repo, path: str, content: bytes | None, body: _ContentBody) -> Commit:
    author = body.author or body.committer
    return call.state.commit(
        repo,
        path,
        content,
        message=body.message or "",
        author=None if author is None else _signature(call, author),
        committer=None if body.committer is None else _signature(call, body.committer),
    )


def _signature(call: Call, person: _Person) -> Signature:
    date = person.date or when(call.state.now())
    return Signature(name=person.name, email=person.email, date=date)


def _entry_view(base: str, repo: Repo, path: str, *, kind: str = "file") -> Json:
    """Render one file or directory without its content."""
    home = repo_url(base, repo)
    quoted = quote(path)
    branch = quote(repo.default_branch)
    content = repo.files.get(path)
    if content is None:
        below = {name: kept for name, kept in repo.files.items() if name.startswith(f"{path}/")}
        sha, git_kind = tree_sha(below), "trees"
    else:
        sha, git_kind = blob_sha(content), "blobs"
    url = f"{home}/contents/{quoted}?ref={branch}"
    git = f"{home}/git/{git_kind}/{sha}"
    view = "blob" if kind == "file" else "tree"
    html = f"{base}/{repo.full_name}/{view}/{branch}/{quoted}"
    raw = f"{base}/raw/{repo.full_name}/{branch}/{quoted}" if kind == "file" else None
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": 0 if content is None else len(content),
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": raw,
        "type": kind,
        "_links": {"self": url, "git": git, "html": html},
    }


def _file_view(base: str, repo: Repo, path: str) -> Json:
    """Render a `content-file`."""
    encoded = base64.b64encode(repo.files[path]).decode("ascii")
    lines = (encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE))
    return {
        **_entry_view(base, repo, path),
        "content": "".join(f"{line}\n" for line in lines),
        "encoding": "base64",
    }


def _directory_view(base: str, repo: Repo, path: str) -> list[Json]:
    """Render a `content-directory`: the direct children, sorted by name."""
    prefix = f"{path}/" if path else ""
    children: dict[str, str] = {}
    for name in repo.files:
        if name.startswith(prefix):
            child, slash, _ = name[len(prefix) :].partition("/")
            children[child] = "dir" if slash else "file"
    return [
        _entry_view(base, repo, prefix + name, kind=children[name]) for name in sorted(children)
    ]


def _commit_view(base: str, repo: Repo, made: Commit) -> Json:
    """Render the `commit` part of a `file-commit`."""
    home = repo_url(base, repo)
    web = f"{base}/{repo.full_name}/commit"
    parents: list[Json] = []
    if made.parent is not None:
        url = f"{home}/git/commits/{made.parent}"
        parents = [{"sha": made.parent, "url": url, "html_url": f"{web}/{made.parent}"}]
    return {
        "sha": made.sha,
        "node_id": f"C_{made.sha}",
        "url": f"{home}/git/commits/{made.sha}",
        "html_url": f"{web}/{made.sha}",
        "author": made.author,
        "committer": made.committer,
        "message": made.message,
        "tree": {"sha": made.tree, "url": f"{home}/git/trees/{made.tree}"},
        "parents": parents,
        "verification": {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        },
    }


ROUTES = (
    Resource(path="/repos/{owner}/{repo}/contents", handlers={"GET": _get_contents}),
    Resource(
        path="/repos/{owner}/{repo}/contents/{path:path}",
        handlers={"GET": _get_contents, "PUT": _put_contents, "DELETE": _delete_contents},
    ),
)
