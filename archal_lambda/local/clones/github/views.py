"""GitHub's JSON shapes of accounts, repositories, issues, comments and labels.

This module owns their field names and URL templates, as in GitHub's OpenAPI description. It must not change anything
it is given. URLs begin with `base`; each function names GitHub's schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from archal_lambda.local.clones.github.model import when

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.model import Comment, Issue, Label, Repo, User

__all__ = ["Json", "comment", "full_repo", "issue", "label", "repo", "repo_url", "user"]

Json = dict[str, object]

_USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}

_REPO_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}

_REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def user(base: str, account: User) -> Json:
    """Render a `simple-user`."""
    url = f"{base}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"U_{account.id:08d}",
        "avatar_url": f"{base}/avatars/{account.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{base}/{account.login}",
        **{field: url + suffix for field, suffix in _USER_URLS.items()},
        "type": "User",
        "user_view_type": "public",
        "site_admin": False,
    }


def repo_url(base: str, repository: Repo) -> str:
    """Give the API URL of a repository, without a trailing slash."""
    return f"{base}/repos/{repository.full_name}"


def repo(base: str, repository: Repo) -> Json:
    """Render a `repository`, as in lists."""
    url = repo_url(base, repository)
    web = f"{base}/{repository.full_name}"
    counts = {"forks": 0, "open_issues": repository.open_issues, "watchers": 0}
    return {
        "id": repository.id,
        "node_id": f"R_{repository.id:08d}",
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": user(base, repository.owner),
        "html_url": web,
        "description": repository.description,
        "fork": False,
        "url": url,
        **{field: url + suffix for field, suffix in _REPO_URLS.items()},
        "created_at": when(repository.created_at),
        "updated_at": when(repository.updated_at),
        "pushed_at": when(repository.pushed_at),
        "git_url": f"git://github.com/{repository.full_name}.git",
        "ssh_url": f"git@github.com:{repository.full_name}.git",
        "clone_url": f"{web}.git",
        "svn_url": web,
        "homepage": repository.homepage,
        "size": sum(map(len, repository.files.values())) // 1024,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": None,
        "has_issues": repository.has_issues,
        "has_projects": repository.has_projects,
        "has_downloads": True,
        "has_wiki": repository.has_wiki,
        "has_pages": False,
        "has_discussions": repository.has_discussions,
        "forks_count": 0,
        "mirror_url": None,
        "archived": repository.archived,
        "disabled": False,
        "open_issues_count": repository.open_issues,
        "license": None,
        "allow_forking": True,
        "is_template": repository.is_template,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repository.private else "public",
        **counts,
        "default_branch": repository.default_branch,
        "permissions": dict.fromkeys(("admin", "maintain", "push", "triage", "pull"), True),
    }


def full_repo(base: str, repository: Repo) -> Json:
    """Render a `full-repository`, as alone."""
    return {
        **repo(base, repository),
        "allow_squash_merge": True,
        "allow_merge_commit": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
        "network_count": 0,
        "subscribers_count": 0,
    }


def label(base: str, repository: Repo, item: Label) -> Json:
    """Render a `label`."""
    return {
        "id": item.id,
        "node_id": f"LA_{item.id:08d}",
        "url": f"{repo_url(base, repository)}/labels/{quote(item.name, safe='')}",
        "name": item.name,
        "color": item.color,
        "default": item.default,
        "description": item.description,
    }


def issue(base: str, repository: Repo, item: Issue) -> Json:
    """Render an `issue`."""
    home = repo_url(base, repository)
    url = f"{home}/issues/{item.number}"
    assignees = [user(base, account) for account in item.assignees]
    return {
        "id": item.id,
        "node_id": f"I_{item.id:08d}",
        "url": url,
        "repository_url": home,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{base}/{repository.full_name}/issues/{item.number}",
        "number": item.number,
        "state": item.state,
        "state_reason": item.state_reason,
        "title": item.title,
        "body": item.body,
        "user": user(base, item.author),
        "labels": [label(base, repository, one) for one in item.labels],
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "milestone": None,
        "locked": False,
        "active_lock_reason": None,
        "comments": len(repository.comments_of(item)),
        "closed_at": None if item.closed_at is None else when(item.closed_at),
        "closed_by": None if item.closed_by is None else user(base, item.closed_by),
        "created_at": when(item.created_at),
        "updated_at": when(item.updated_at),
        "author_association": "OWNER" if item.author is repository.owner else "NONE",
        "performed_via_github_app": None,
        "reactions": _reactions(url),
        "timeline_url": f"{url}/timeline",
    }


def comment(base: str, repository: Repo, item: Comment) -> Json:
    """Render an `issue-comment`."""
    home = repo_url(base, repository)
    url = f"{home}/issues/comments/{item.id}"
    web = f"{base}/{repository.full_name}/issues/{item.issue.number}"
    return {
        "id": item.id,
        "node_id": f"IC_{item.id:08d}",
        "url": url,
        "html_url": f"{web}#issuecomment-{item.id}",
        "issue_url": f"{home}/issues/{item.issue.number}",
        "body": item.body,
        "user": user(base, item.author),
        "created_at": when(item.created_at),
        "updated_at": when(item.updated_at),
        "author_association": "OWNER" if item.author is repository.owner else "NONE",
        "performed_via_github_app": None,
        "reactions": _reactions(url),
    }


def _reactions(url: str) -> Json:
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(_REACTIONS, 0)}
