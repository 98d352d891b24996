"""Operations on what a repository's hooks were sent (GitHub docs, rest/repos/webhooks).

This module owns their rules. It must not render, route or send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.github.call import (
    Call,
    GitHubError,
    json_response,
    not_found,
)
from archal_lambda.local.clones.github.hook_log import delivery_view, item_view, resend
from archal_lambda.local.clones.github.hooks import find_hook
from archal_lambda.local.clones.github.http import Resource

if TYPE_CHECKING:
    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Hook, HookDelivery

__all__ = ["ROUTES"]

_PER_PAGE, _MAX_PER_PAGE = 30, 100


def _list_deliveries(call: Call) -> Response:
    repo = call.repo()
    hook = find_hook(call, repo)
    wanted = call.query("status")
    if wanted not in {"", "success", "failure"}:
        raise GitHubError(400, "status must be success or failure")
    found = [
        one
        for one in reversed(hook.deliveries)
        if not wanted or _is_fine(one) == (wanted == "success")
    ]
    size = call.query("per_page", str(_PER_PAGE))
    number = int(size) if size.isascii() and size.isdecimal() else _PER_PAGE
    number = min(max(number, 1), _MAX_PER_PAGE)
    # GitHub pages by a cursor, which is nobody's to read: here, the id of the first one on the page.
    cursor = call.query("cursor")
    if cursor:
        if not (cursor.startswith("v1_") and cursor[3:].isascii() and cursor[3:].isdecimal()):
            raise GitHubError(422, "Invalid cursor")
        found = [one for one in found if one.id <= int(cursor[3:])]
    more = found[number:]
    headers: dict[str, str] = {}
    if more:
        url = str(call.request.url).partition("?")[0]
        headers["link"] = f'<{url}?per_page={number}&cursor=v1_{more[0].id}>; rel="next"'
    return json_response([item_view(repo, one) for one in found[:number]], headers=headers)


def _get_delivery(call: Call) -> Response:
    repo = call.repo()
    hook = find_hook(call, repo)
    return json_response(delivery_view(repo, hook, _find(call, hook)))


def _redeliver(call: Call) -> Response:
    repo = call.repo()
    hook = find_hook(call, repo)
    resend(call.clone, repo, hook, _find(call, hook))
    return json_response({}, status=202)


def _find(call: Call, hook: Hook) -> HookDelivery:
    number = call.number("delivery")
    for one in hook.deliveries:
        if one.id == number:
            return one
    raise not_found()


def _is_fine(one: HookDelivery) -> bool:
    return one.error is None and 200 <= one.status_code < 300  # noqa: PLR2004 - as HTTP counts


ROUTES = (
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}/deliveries",
        handlers={"GET": _list_deliveries},
        public=False,
    ),
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}/deliveries/{delivery}",
        handlers={"GET": _get_delivery},
        public=False,
    ),
    Resource(
        path="/repos/{owner}/{repo}/hooks/{hook}/deliveries/{delivery}/attempts",
        handlers={"POST": _redeliver},
        public=False,
    ),
)
