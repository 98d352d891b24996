"""Operations on accounts and repositories (GitHub docs, rest/users and rest/repos/repos).

This module owns their rules, and the two shapes of an account that only they use. It must not route.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github import events, views
from archal_lambda.local.clones.github.call import (
    Call,
    json_response,
    no_content,
    not_found,
    validation_failed,
)
from archal_lambda.local.clones.github.http import Resource
from archal_lambda.local.clones.github.model import when

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Repo, User

__all__ = ["ROUTES"]

_MAX_NAME = 100
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_SORTS = {
    "created": attrgetter("created_at", "id"),
    "updated": attrgetter("updated_at", "id"),
    "pushed": attrgetter("pushed_at", "id"),
    "full_name": attrgetter("full_name"),
}


class _RepoFields(msgspec.Struct, frozen=True, kw_only=True):
    """What creating and changing a repository have in common."""

    description: str | msgspec.UnsetType | None = msgspec.UNSET
    homepage: str | msgspec.UnsetType | None = msgspec.UNSET
    private: bool | msgspec.UnsetType = msgspec.UNSET
    is_template: bool | msgspec.UnsetType = msgspec.UNSET
    has_issues: bool | msgspec.UnsetType = msgspec.UNSET
    has_projects: bool | msgspec.UnsetType = msgspec.UNSET
    has_wiki: bool | msgspec.UnsetType = msgspec.UNSET
    has_discussions: bool | msgspec.UnsetType = msgspec.UNSET


class _CreateRepo(_RepoFields, frozen=True, kw_only=True):
    """Body of `POST /user/repos`."""

    name: str | None = None
    auto_init: bool = False


class _PatchRepo(_RepoFields, frozen=True, kw_only=True):
    """Body of `PATCH /repos/{owner}/{repo}`."""

    name: str | None = None
    visibility: str | None = None
    default_branch: str | None = None
    archived: bool | msgspec.UnsetType = msgspec.UNSET


def _get_viewer(call: Call) -> Response:
    viewer = call.state.viewer
    public = _repos_of(call, viewer, private=False)
    private = len(_repos_of(call, viewer, private=True)) - len(public)
    view = _private_user(call.base, viewer, public_repos=len(public), private_repos=private)
    return json_response(view)


def _get_user(call: Call) -> Response:
    user = _find_user(call)
    count = len(_repos_of(call, user, private=False))
    return json_response(_public_user(call.base, user, public_repos=count))


def _list_viewer_repos(call: Call) -> Response:
    repos = _repos_of(call, call.state.viewer, private=True)
    wanted = call.query("visibility", "all")
    if wanted in {"public", "private"}:
        repos = [repo for repo in repos if repo.private == (wanted == "private")]
    return call.page(_sorted(call, repos), lambda repo: views.repo(call.base, repo))


def _list_user_repos(call: Call) -> Response:
    repos = _repos_of(call, _find_user(call), private=False)
    return call.page(_sorted(call, repos), lambda repo: views.repo(call.base, repo))


def _create_repo(call: Call) -> Response:
    body = call.decode(_CreateRepo)
    if not body.name:
        raise validation_failed("Repository", "name", "missing_field")
    owner = call.state.viewer
    name = _free_name(call, owner, body.name, refusal="Repository creation failed.")
    repo = call.state.add_repo(owner, name)
    _apply(repo, body)
    events.of_repository(call, repo, "created")
    if body.auto_init:
        readme = f"# {repo.name}\n" + (f"{repo.description}\n" if repo.description else "")
        made = call.state.commit(repo, "README.md", readme.encode(), message="Initial commit")
        events.of_push(call, repo, made, "added", "README.md")
    return call.created(views.full_repo(call.base, repo))


def _get_repo(call: Call) -> Response:
    return json_response(views.full_repo(call.base, call.repo()))


def _patch_repo(call: Call) -> Response:
    body = call.decode(_PatchRepo)
    # An archived repository can be taken out of the archive, and nothing else.
    repo = call.repo(write=body.archived is not False)
    if body.default_branch not in {None, repo.default_branch}:
        raise validation_failed("Repository", "default_branch", "invalid")
    if body.visibility not in {None, "public", "private"}:
        raise validation_failed("Repository", "visibility", "invalid")
    name = body.name
    if name and name.lower() != repo.name.lower():
        name = _free_name(call, repo.owner, name)
    with events.of_repository_changes(call, repo):
        if name:
            call.state.rename_repo(repo, name)
        _apply(repo, body)
        if body.visibility is not None:
            repo.private = body.visibility == "private"
        repo.updated_at = call.state.now()
    return json_response(views.full_repo(call.base, repo))


def _delete_repo(call: Call) -> Response:
    # Unlike other changes this one is allowed on an archived repository.
    repo = call.repo()
    del call.state.repos[repo.full_name.lower()]
    events.of_repository(call, repo, "deleted")
    return no_content()


def _public_user(base: str, account: User, *, public_repos: int) -> views.Json:
    """Render a `public-user`."""
    return {
        **views.user(base, account),
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


def _private_user(base: str, account: User, *, public_repos: int, private_repos: int) -> views.Json:
    """Render a `private-user`, what the account sees of itself."""
    return {
        **_public_user(base, account, public_repos=public_repos),
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


def _find_user(call: Call) -> User:
    user = call.state.users.get(call.path("login").lower())
    if user is None:
        raise not_found()
    return user


def _repos_of(call: Call, user: User, *, private: bool) -> list[Repo]:
    mine = (repo for repo in call.state.repos.values() if repo.owner is user)
    return [repo for repo in mine if private or not repo.private]


def _sorted(call: Call, repos: Iterable[Repo]) -> list[Repo]:
    sort = call.query("sort", "full_name")
    direction = call.query("direction", "asc" if sort == "full_name" else "desc")
    key = _SORTS.get(sort, _SORTS["full_name"])
    return sorted(repos, key=key, reverse=direction == "desc")


def _free_name(call: Call, owner: User, wanted: str, *, refusal: str = "Validation Failed") -> str:
    # GitHub turns what it does not allow into dashes and keeps at most 100 characters.
    name = _FOREIGN.sub("-", wanted)[:_MAX_NAME]
    if name in {".", ".."} or call.state.find_repo(owner.login, name) is not None:
        reason = "name already exists on this account" if name.strip(".") else "name is reserved"
        raise validation_failed("Repository", "name", "custom", message=reason, summary=refusal)
    return name


def _apply(repo: Repo, body: _RepoFields) -> None:
    for field in (*_RepoFields.__struct_fields__, "archived"):
        value = getattr(body, field, msgspec.UNSET)
        if value is not msgspec.UNSET:
            setattr(repo, field, value)


ROUTES = (
    Resource(path="/user", handlers={"GET": _get_viewer}, public=False),
    Resource(
        path="/user/repos",
        handlers={"GET": _list_viewer_repos, "POST": _create_repo},
        public=False,
    ),
    Resource(path="/users/{login}", handlers={"GET": _get_user}),
    Resource(path="/users/{login}/repos", handlers={"GET": _list_user_repos}),
    Resource(
        path="/repos/{owner}/{repo}",
        handlers={"GET": _get_repo, "PATCH": _patch_repo, "DELETE": _delete_repo},
    ),
)
