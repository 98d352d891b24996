"""GitHub's JSON shapes of accounts and repositories.

Owns their field names and URL templates, as in GitHub's OpenAPI description. It must not change
anything it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.github.model import when

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.model import Repo, User

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


def public_user(base: str, account: User, *, public_repos: int) -> Json:
    """Render a `public-user`."""
    return {
        **user(base, account),
        "name": account.login.title(),
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": public_repos,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": when(account.created_at),
        "updated_at": when(account.created_at),
    }


def private_user(base: str, account: User, *, public_repos: int, private_repos: int) -> Json:
    """Render a `private-user`, what the account sees of itself."""
    return {
        **public_user(base, account, public_repos=public_repos),
        "user_view_type": "private",
        "notification_email": None,
        "private_gists": 0,
        "total_private_repos": private_repos,
        "owned_private_repos": private_repos,
        "disk_usage": 0,
        "collaborators": 0,
        "two_factor_authentication": True,
        "plan": {"name": "free", "space": 976562499, "collaborators": 0, "private_repos": 10000},
    }


def repo_url(base: str, repository: Repo) -> str:
    """Give the API URL of a repository."""
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
