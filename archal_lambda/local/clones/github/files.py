"""GitHub's JSON shapes of file contents and commits.

Owns their field names, as in GitHub's OpenAPI description. It must not change anything it is given.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from archal_lambda.local.clones.github.accounts import Json, repo_url
from archal_lambda.local.clones.github.model import blob_sha, tree_sha

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.model import Commit, Repo

_BASE64_LINE = 60


def entry(base: str, repository: Repo, path: str, *, kind: str = "file") -> Json:
    """Render one file or directory without its content."""
    home = repo_url(base, repository)
    quoted = quote(path)
    branch = quote(repository.default_branch)
    content = repository.files.get(path)
    if content is None:
        below = {
            name: blob for name, blob in repository.files.items() if name.startswith(f"{path}/")
        }
        sha, git_kind = tree_sha(below), "trees"
    else:
        sha, git_kind = blob_sha(content), "blobs"
    url = f"{home}/contents/{quoted}?ref={branch}"
    git = f"{home}/git/{git_kind}/{sha}"
    view = "blob" if kind == "file" else "tree"
    html = f"{base}/{repository.full_name}/{view}/{branch}/{quoted}"
    raw = f"{base}/raw/{repository.full_name}/{branch}/{quoted}" if kind == "file" else None
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


def file(base: str, repository: Repo, path: str) -> Json:
    """Render a `content-file`; Base64 in lines of 60, as GitHub breaks them."""
    encoded = base64.b64encode(repository.files[path]).decode("ascii")
    lines = (encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE))
    return {
        **entry(base, repository, path),
        "content": "".join(f"{line}\n" for line in lines),
        "encoding": "base64",
    }


def directory(base: str, repository: Repo, path: str) -> list[Json]:
    """Render a `content-directory`: direct children, by name; empty if there is none."""
    prefix = f"{path}/" if path else ""
    children: dict[str, str] = {}
    for name in repository.files:
        if name.startswith(prefix):
            child, slash, _ = name[len(prefix) :].partition("/")
            children[child] = "dir" if slash else "file"
    return [
        entry(base, repository, prefix + name, kind=children[name]) for name in sorted(children)
    ]


def commit(base: str, repository: Repo, made: Commit) -> Json:
    """Render the `commit` part of a `file-commit`."""
    home = repo_url(base, repository)
    web = f"{base}/{repository.full_name}/commit"
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
