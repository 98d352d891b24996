"""The shapes of a commit: of the REST API, and of a `push` (GitHub docs, webhook-events-and-payloads#push).

This module owns their fields, which differ. It must not send or change anything.
"""

from __future__ import annotations

import calendar
import time
from typing import TYPE_CHECKING

from archal_lambda.local.clones.github import views

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.call import Call
    from archal_lambda.local.clones.github.model import Commit, Repo, Signature
    from archal_lambda.local.clones.github.views import Json

__all__ = ["commit_view", "push_payload"]

_NOTHING = "0" * 40  # what a branch was before it was made


def commit_view(base: str, repo: Repo, made: Commit) -> Json:
    """Render the `commit` part of a `file-commit`."""
    home = views.repo_url(base, repo)
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


def push_payload(call: Call, repo: Repo, commit: Commit, changes: dict[str, str]) -> Json:
    """Render the push of one commit; `changes` has a path by `added`, `modified` or `removed`."""
    web = f"{call.base}/{repo.full_name}"
    before = commit.parent or _NOTHING
    said: Json = {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.committer.date,
        "url": f"{web}/commit/{commit.sha}",
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        **{
            kind: [changes[kind]] if kind in changes else []
            for kind in ("added", "removed", "modified")
        },
    }
    viewer = call.state.viewer
    return {
        "ref": f"refs/heads/{repo.default_branch}",
        "before": before,
        "after": commit.sha,
        "repository": _repository(call, repo),
        "pusher": {"name": viewer.login, "email": viewer.email},
        "created": commit.parent is None,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"{web}/compare/{before[:12]}...{commit.sha[:12]}",
        "commits": [said],
        "head_commit": said,
    }


def _person(signature: Signature) -> Json:
    return {"name": signature.name, "email": signature.email, "date": signature.date}


def _repository(call: Call, repo: Repo) -> Json:
    shown = views.repo(call.base, repo)
    owner = {**views.user(call.base, repo.owner), "name": repo.owner.login}
    # Here alone GitHub writes two of the times as epoch seconds.
    times = {name: _seconds(str(shown[name])) for name in ("created_at", "pushed_at")}
    extra = {"stargazers": 0, "master_branch": repo.default_branch}
    return {**shown, **times, **extra, "owner": {**owner, "email": repo.owner.email}}


def _seconds(moment: str) -> int:
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
