"""What emulate's services tell, as deliveries.

This module owns the translation. It must not send anything itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archal_lambda.core.secrets import Secret
from archal_lambda.local.webhooks.outgoing import Hook, Message

if TYPE_CHECKING:
    from archal_lambda.local.emulate.lines import Told
    from archal_lambda.local.emulate.process import Instance
    from archal_lambda.local.webhooks.outbox import Outbox
    from archal_lambda.local.webhooks.outgoing import Job, Pairs, Result

__all__ = ["tell"]


class _Repository(msgspec.Struct, frozen=True):
    id: int | None = None


class _Facts(msgspec.Struct, frozen=True):
    """What deliveries are known by, of whichever service."""

    id: str | int | None = None
    event_id: str | None = None
    repository: _Repository | None = None


def tell(service: str, instance: Instance, told: Told, outbox: Outbox) -> None:
    """Pass on what an instance tells; the result of what it sends goes back to it."""
    facts = msgspec.json.decode(told.body, type=_Facts)
    own = {"slack": facts.event_id, "stripe": facts.id}.get(service)
    message = Message(
        service=service,
        event=told.event,
        action=told.action,
        body=told.body.encode(),
        id=own if isinstance(own, str) else None,
        about=None if facts.repository is None else facts.repository.id,
        given=told.given,
    )
    number = told.send
    if number is None:
        outbox.tell(message)
        return

    def done(_job: Job, _headers: Pairs, result: Result) -> None:
        instance.sent(number, result.status, result.error)

    hook = Hook(
        id=told.hook,
        url=told.url,
        secret=Secret(told.secret) if told.secret else None,
        form=told.form,
    )
    outbox.send(message, hook, done)
