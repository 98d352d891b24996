"""The webhooks over HTTP, below `/_archal/webhooks`, for programs in other languages.

This module owns their paths, bodies and responses. It must not do anything that `Dispatch` does not.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import msgspec

from archal_lambda.core.secrets import Secret
from archal_lambda.errors import ConfigurationError
from archal_lambda.local.server.admin import body_of
from archal_lambda.local.server.app import ApiError
from archal_lambda.local.webhooks.targets import Wish

if TYPE_CHECKING:
    from starlette.requests import Request

    from archal_lambda.local.server.admin import Handle
    from archal_lambda.local.webhooks.delivery import Delivery
    from archal_lambda.local.webhooks.dispatch import Dispatch
    from archal_lambda.local.webhooks.targets import Target

__all__ = ["webhook_handles"]

_TIMEOUT = "5"  # seconds, as `wait_idle` has them
_MAX_TIMEOUT = 300.0  # seconds, which is longer than HTTP clients wait


class _TargetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    clone: str | None = None
    events: list[str] | None = None
    secret: str | None = None
    timeout: float | None = None
    concurrency: int = 1
    duplicates: int = 0
    shuffle: int | None = None


def webhook_handles(dispatch: Dispatch) -> list[tuple[str, Handle]]:
    """List the handles with their paths."""
    handles = _WebhookHandles(dispatch)
    return [
        ("GET /_archal/webhooks/deliveries", handles.deliveries),
        ("POST /_archal/webhooks/deliveries/{number}/redeliver", handles.redeliver),
        ("GET /_archal/webhooks/targets", handles.targets),
        ("POST /_archal/webhooks/targets", handles.add),
        ("DELETE /_archal/webhooks/targets/{id}", handles.remove),
        ("GET /_archal/webhooks/idle", handles.idle),
    ]


class _WebhookHandles:
    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def deliveries(self, request: Request) -> object:
        """List what was delivered after a number."""
        after = _whole(request.query_params.get("after") or "0", "after")
        found = [one for one in self._dispatch.kept() if one.number > after]
        return {"deliveries": [_shown(one) for one in found], "last": self._dispatch.done}

    async def redeliver(self, request: Request) -> object:
        """Make a delivery once more."""
        number = _whole(request.path_params["number"], "number")
        try:
            self._dispatch.redeliver(number)
        except ConfigurationError:
            raise ApiError(404, "delivery_not_found", "there is no such delivery") from None
        return None

    async def targets(self, _request: Request) -> object:
        """List who is told of everything."""
        return {"targets": [_described(target) for target in self._dispatch.targets()]}

    async def add(self, request: Request) -> object:
        """Tell a URL of everything; without a secret of its own, the answer has the one that is signed with."""
        body: _TargetBody = await body_of(request, _TargetBody)
        if body.secret == "":
            raise ApiError(400, "invalid_request", "secret must not be empty")
        wish = Wish(
            clone=body.clone,
            events=body.events,
            timeout=body.timeout,
            concurrency=body.concurrency,
            duplicates=body.duplicates,
            shuffle=body.shuffle,
        )
        secret = None if body.secret is None else Secret(body.secret)
        try:
            target = self._dispatch.add(body.url, secret, wish)
        except ConfigurationError as error:
            raise ApiError(400, "invalid_request", str(error)) from None
        made = {"id": target.id, "url": target.name}
        return made if secret else {**made, "secret": self._dispatch.secret.reveal()}

    async def remove(self, request: Request) -> object:
        """Tell a target no more."""
        for target in self._dispatch.targets():
            if target.id == request.path_params["id"]:
                self._dispatch.remove(target.number)
                return None
        raise ApiError(404, "target_not_found", "there is no such target")

    async def idle(self, request: Request) -> object:
        """Wait until nothing is queued or under way."""
        spelled = request.query_params.get("timeout") or _TIMEOUT
        try:
            timeout = float(spelled)
        except ValueError:
            timeout = math.nan
        if not 0 <= timeout <= _MAX_TIMEOUT:
            reason = f"timeout must be a number of seconds from 0 to {_MAX_TIMEOUT:g}"
            raise ApiError(400, "invalid_request", reason)
        try:
            await asyncio.to_thread(self._dispatch.wait, timeout)
        except TimeoutError as error:
            raise ApiError(408, "not_idle", str(error)) from None
        except RuntimeError as error:
            raise ApiError(409, "webhook_loop", str(error)) from None
        return {"deliveries": self._dispatch.done}


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 - nothing has more digits
        raise ApiError(400, "invalid_request", f"{name} must be a whole number from 0 up")
    return int(text)


def _shown(one: Delivery) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(one)
    fields["durationMs"] = fields.pop("duration_ms")
    return fields


def _described(target: Target) -> dict[str, Any]:
    return {
        "id": target.id,
        "target": target.name,
        "clone": target.clone,
        "events": target.events,
        "duplicates": target.duplicates,
        "shuffle": target.shuffle,
    }
