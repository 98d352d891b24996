"""Operations on a repository's hooks (GitHub docs, rest/repos/webhooks).

This module owns their rules. It must not render, route or send.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github import events
from archal_lambda.local.clones.github.call import (
    Call,
    GitHubError,
    json_response,
    no_content,
    not_found,
    validation_failed,
)
from archal_lambda.local.clones.github.hook_log import config_view, hook_view
from archal_lambda.local.clones.github.hook_rules import CONTENT_TYPES, EVENTS, is_url
from archal_lambda.local.clones.github.http import Resource
from archal_lambda.local.clones.github.model import Hook

if TYPE_CHECKING:
    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Repo

__all__ = ["ROUTES", "find_hook"]

_MAX_HOOKS = 20  # of one repository and event (GitHub docs, "About webhooks")


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    """`webhook-config`."""

    url: str | msgspec.UnsetType | None = msgspec.UNSET
    content_type: str | msgspec.UnsetType | None = msgspec.UNSET
    secret: str | msgspec.UnsetType | None = msgspec.UNSET
    insecure_ssl: str | int | float | msgspec.UnsetType | None = msgspec.UNSET


class _HookBody(msgspec.Struct, frozen=True, kw_only=True):
    """Body of creating and changing a hook."""

    name: str | msgspec.UnsetType | None = msgspec.UNSET
    config: _Config | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    add_events: list[str] | msgspec.UnsetType = msgspec.UNSET
    remove_events: list[str] | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET


def _list_hooks(call: Call) -> Response:
    repo = call.repo()
    return call.page(list(repo.hooks.values()), lambda hook: hook_view(call.base, repo, hook))


def _create_hook(call: Call) -> Response:
    repo = call.repo(write=True)
    body = call.decode(_HookBody)
    if body.name not in {msgspec.UNSET, None, "web"}:
        raise validation_failed("Hook", "name", "invalid")
    chosen = ["push"] if body.events is msgspec.UNSET else _checked(body.events)
    now = call.state.now()
    hook = Hook(
        id=0,
        url="",
        secret=None,
        content_type="form",
        insecure_ssl="0",
        events=chosen,
        active=body.active is not False,
        created_at=now,
        updated_at=now,
    )
    _apply(hook, _Config() if body.config is msgspec.UNSET else body.config)
    if not hook.url:
        raise validation_failed("Hook", "url", "missing_field")
    _check_free(repo, hook)
    hook.id = call.state.next_id()
    repo.hooks[hook.id] = hook
    if hook.active:
        events.ping(call, repo, hook)
    return call.created(hook_view(call.base, repo, hook))


def _get_hook(call: Call) -> Response:
    repo = call.repo()
    return json_response(hook_view(call.base, repo, find_hook(call, repo)))


def _patch_hook(call: Call) -> Response:
    repo = call.repo(write=True)
    hook = find_hook(call, repo)
    body = call.decode(_HookBody)
    chosen = hook.events if body.events is msgspec.UNSET else _checked(body.events)
    if body.add_events is not msgspec.UNSET:
        chosen = list(dict.fromkeys([*chosen, *_checked(body.add_events)]))
    if body.remove_events is not msgspec.UNSET:
        gone = body.remove_events
        chosen = _checked([event for event in chosen if event not in gone])
    changed = dataclasses.replace(hook, events=chosen)
    if body.config is not msgspec.UNSET:
        if body.config.url is msgspec.UNSET:  # GitHub docs: a `config` that is given is the whole
            raise validation_failed("Hook", "url", "missing_field")
        _apply(changed, body.config)
    if body.active is not msgspec.UNSET:
        changed.active = body.active
    _put(call, repo, changed)
    return json_response(hook_view(call.base, repo, changed))


def _delete_hook(call: Call) -> Response:
    repo = call.repo(write=True)
    del repo.hooks[find_hook(call, repo).id]
    return no_content()


def _get_config(call: Call) -> Response:
    return json_response(config_view(find_hook(call, call.repo())))


def _patch_config(call: Call) -> Response:
    repo = call.repo(write=True)
    changed = dataclasses.replace(find_hook(call, repo))
    _apply(changed, call.decode(_Config))
    _put(call, repo, changed)
    return json_response(config_view(changed))


def _ping(call: Call) -> Response:
    repo = call.repo()
    events.ping(call, repo, find_hook(call, repo))
    return no_content()


def _test(call: Call) -> Response:
    repo = call.repo()
    hook = find_hook(call, repo)
    if "push" in hook.events or "*" in hook.events:  # else, GitHub docs: 204, and nothing is sent
        events.test_push(call, repo, hook)
    return no_content()


def find_hook(call: Call, repo: Repo) -> Hook:
    """Find the hook of the path, which only a caller with a credential may see."""
    hook = repo.hooks.get(call.number("hook"))
    if hook is None:
        raise not_found()
    return hook


def _checked(chosen: list[str]) -> list[str]:
    if not chosen or any(event not in EVENTS for event in chosen):
        raise validation_failed("Hook", "events", "invalid")
    return list(dict.fromkeys(chosen))


def _put(call: Call, repo: Repo, changed: Hook) -> None:
    """Put a hook in the place of what it was, once nothing speaks against it."""
    _check_free(repo, changed)
    changed.updated_at = call.state.now()
    repo.hooks[changed.id] = changed


def _check_free(repo: Repo, hook: Hook) -> None:
    others = [other for other in repo.hooks.values() if other.id != hook.id]
    for other in others:
        if other.url == hook.url and set(other.events) & set(hook.events):
            raise _custom("Hook already exists on this repository")
    for event in hook.events:
        if sum(event in other.events for other in others) >= _MAX_HOOKS:
            raise _custom(f'The "{event}" event cannot have more than {_MAX_HOOKS} hooks')


def _apply(hook: Hook, config: _Config) -> None:
    url, kind, insecure = config.url, config.content_type, config.insecure_ssl
    if url is not msgspec.UNSET:
        if not url or not is_url(url):
            raise validation_failed("Hook", "url", "invalid" if url else "missing_field")
        hook.url = url
    if kind is not msgspec.UNSET and kind is not None:
        if kind not in CONTENT_TYPES:
            raise validation_failed("Hook", "content_type", "invalid")
        hook.content_type = kind
    if config.secret is not msgspec.UNSET:
        hook.secret = config.secret or None
    if insecure is not msgspec.UNSET and insecure is not None:
        hook.insecure_ssl = "1" if str(insecure) in {"1", "1.0"} else "0"


def _custom(message: str) -> GitHubError:
    return GitHubError(
        422,
        "Validation Failed",
        errors=({"resource": "Hook", "code": "custom", "message": message},),
    )


ROUTES = (
    Resource(
        path="/repos/{owner}/{repo}/hooks",
        handlers={"GET": _list_hooks, "POST": _create_hook},
        public=False,
    ),
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}",
        handlers={"GET": _get_hook, "PATCH": _patch_hook, "DELETE": _delete_hook},
        public=False,
    ),
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}/config",
        handlers={"GET": _get_config, "PATCH": _patch_config},
        public=False,
    ),
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}/pings", handlers={"POST": _ping}, public=False
    ),
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}/tests", handlers={"POST": _test}, public=False
    ),
)
