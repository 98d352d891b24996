"""The shapes of hooks and their deliveries, and the sending of what is then logged.

This module owns both: what a hook is told, and what it remembers of that. It must not decide what is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archal_lambda.core.secrets import Secret
from archal_lambda.local.clones.github.model import HookDelivery, when
from archal_lambda.local.clones.github.views import repo_url
from archal_lambda.local.webhooks.outgoing import Hook as Address
from archal_lambda.local.webhooks.outgoing import Message

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.call import Clone
    from archal_lambda.local.clones.github.model import Hook, Repo
    from archal_lambda.local.clones.github.views import Json
    from archal_lambda.local.webhooks.outgoing import Job, Pairs, Result

__all__ = ["config_view", "delivery_view", "hook_view", "item_view", "resend", "send"]

_KEPT = 100  # deliveries of a hook, the last ones
_HIDDEN = "********"  # as GitHub shows a secret


def config_view(hook: Hook) -> Json:
    """Render a `webhook-config`."""
    secret: Json = {} if hook.secret is None else {"secret": _HIDDEN}
    return {
        "content_type": hook.content_type,
        "insecure_ssl": hook.insecure_ssl,
        **secret,
        "url": hook.url,
    }


def hook_view(base: str, repo: Repo, hook: Hook) -> Json:
    """Render a `hook`."""
    url = f"{repo_url(base, repo)}/hooks/{hook.id}"
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": list(hook.events),
        "config": config_view(hook),
        "updated_at": when(hook.updated_at),
        "created_at": when(hook.created_at),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": _last_response(hook),
    }


def item_view(repo: Repo, one: HookDelivery) -> Json:
    """Render a `hook-delivery-item`."""
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": when(one.delivered_at),
        "redelivery": one.attempt > 1,
        "duration": round(one.duration, 2),
        "status": _status(one),
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": None,
        "repository_id": repo.id,
        "throttled_at": None,
    }


def delivery_view(repo: Repo, hook: Hook, one: HookDelivery) -> Json:
    """Render a `hook-delivery`."""
    return {
        **item_view(repo, one),
        "url": hook.url,
        "request": {
            "headers": dict(one.request_headers),
            "payload": msgspec.json.decode(one.payload),
        },
        "response": {
            "headers": dict(one.response_headers),
            "payload": one.response_body,
        },
    }


def send(clone: Clone, hook: Hook, message: Message, *, again: HookDelivery | None = None) -> None:
    """Send to a hook, and log it with the hook; `again` is what is sent once more."""
    address = Address(
        id=hook.id,
        url=hook.url,
        secret=None if hook.secret is None else Secret(hook.secret),
        form=hook.content_type == "form",
        insecure=hook.insecure_ssl == "1",
    )

    def done(job: Job, headers: Pairs, result: Result) -> None:
        made = HookDelivery(
            id=clone.state.next_id(),
            guid=job.id,
            event=message.event,
            action=message.action,
            delivered_at=clone.state.now(),
            duration=result.seconds,
            attempt=job.attempt,
            status_code=result.status or 0,
            error=result.error,
            request_headers=headers,
            payload=message.body,
            response_headers=result.headers,
            response_body=result.body.decode("utf-8", "replace"),
        )
        hook.deliveries = [*hook.deliveries[1 - _KEPT :], made]

    guid, attempt = ("", 1) if again is None else (again.guid, again.attempt + 1)
    clone.outbox.send(message, address, done, delivery=guid, attempt=attempt)


def resend(clone: Clone, repo: Repo, hook: Hook, one: HookDelivery) -> None:
    """Send once more what was sent."""
    message = Message(
        service="github", event=one.event, action=one.action, body=one.payload, about=repo.id
    )
    send(clone, hook, message, again=one)


def _status(one: HookDelivery) -> str:
    if one.error is not None:
        return "timed out" if one.error == "TimeoutError" else f"failed to connect: {one.error}"
    return "OK" if one.status_code < 300 else f"Invalid HTTP Response: {one.status_code}"  # noqa: PLR2004 - as GitHub counts


def _last_response(hook: Hook) -> Json:
    if not hook.deliveries:
        return {"code": None, "status": "unused", "message": None}
    last = hook.deliveries[-1]
    fine = last.error is None and last.status_code < 300  # noqa: PLR2004 - as above
    return {
        "code": last.status_code,
        "status": "active" if fine else "error",
        "message": _status(last),
    }
