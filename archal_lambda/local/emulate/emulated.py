"""Clones that npm's `emulate` runs.

This module owns which there are, how each begins, and what can be done with the state of one that runs. It must not
know how Node is spoken to.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import msgspec

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones import github
from archal_lambda.local.clones.kind import CloneKind, host_of
from archal_lambda.local.clones.running import Running
from archal_lambda.local.emulate import seeds
from archal_lambda.local.emulate.paths import as_service, is_odd
from archal_lambda.local.emulate.shapes import refusal, spelled
from archal_lambda.local.emulate.stripe import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from archal_lambda.local.clones.running import Place, StateOf
    from archal_lambda.local.emulate.forward import Answer, Forward
    from archal_lambda.local.emulate.process import Emulators, Instance

__all__ = ["emulated_kinds"]

# Of the objects in emulate's own example, those that a service has only once somebody makes them are in the seed
# `default` alone; what an account begins with, such as a workspace and its members, is always there.
_EMPTY, _DEFAULT = "empty", "default"
_HOST = "127.0.0.1"
_NOT_BUILT = "The local Archal has not built this operation: emulate does not have it."
_MARKER = b"x-archal-local"
_HIDDEN = re.compile(r"grant|oauth|password|private_key|secret|token|webhook")
# Of fields, also those in which emulate notes for itself when it touched an object.
_LEFT_OUT = re.compile(rf"{_HIDDEN.pattern}|^(?:created|updated)_at$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    name: str  # as emulate calls it
    clear: tuple[str, ...] = ()  # the collections that `empty` has nothing in
    zero: Mapping[str, Mapping[str, object]] = dataclasses.field(
        default_factory=dict[str, "Mapping[str, object]"]
    )  # and fields that count what was in them
    begin: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object])  # as a seed
    # What an object is known by: the first of these fields that it has.
    known_by: tuple[str, ...] = ()


_SERVICES = {
    "github": _Service(
        name="github",
        begin={"users": [{"login": "testuser"}]},  # who our own clone's calls are made by
        known_by=("full_name", "login"),
    ),
    "google-workspace": _Service(
        name="google",
        clear=(
            "google.messages",
            "google.drafts",
            "google.attachments",
            "google.history",
            "google.calendar_events",
            "google.drive_items",
        ),
        known_by=("gmail_id", "google_id", "uid"),
    ),
    "linear": _Service(
        name="linear",
        clear=("linear.issues", "linear.comments", "linear.projects", "linear.cycles"),
        zero={"linear.teams": {"issue_sequence": 0}},
        known_by=("identifier", "linear_id"),
    ),
    "slack": _Service(
        name="slack", known_by=("ts", "channel_id", "user_id", "bot_id", "app_id", "team_id")
    ),
    "stripe": _Service(name="stripe", clear=("stripe.customers",), known_by=("stripe_id",)),
}
_OWN = "github"  # which is ours unless it is asked for


def emulated_kinds(emulators: Emulators, chosen: Iterable[str]) -> dict[str, CloneKind]:
    """List the clones that emulate runs; those of which we have our own if they are chosen."""
    names = list(chosen)
    for name in names:
        if name not in _SERVICES:
            raise ConfigurationError(
                "emulated", f"names {name[:60]!a}, but emulate has: {', '.join(sorted(_SERVICES))}"
            )
    return {
        clone: _kind(clone, service, emulators)
        for clone, service in _SERVICES.items()
        if clone != _OWN or clone in names
    }


def _kind(clone: str, service: _Service, emulators: Emulators) -> CloneKind:
    async def start(place: Place) -> Running:
        emulated = _Emulated(clone, service, emulators, place)
        await emulated.begin()
        return emulated

    def exhausted(limit: int, now: float) -> Response:
        if clone == _OWN:
            return github.rate_limited(limit, now)
        response = refusal(clone, 429, "Too many requests")
        response.headers["retry-after"] = "60"
        return response

    return CloneKind(
        id=clone,
        host=host_of(clone),
        seeds=(_EMPTY, _DEFAULT),
        start=start,
        exhausted=exhausted,
        eager=True,
        read_seed=lambda raw: seeds.read(clone, raw),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    number: int  # as the host knows it
    made: Mapping[tuple[str, str], object] | None  # what a guard remembers


class _Emulated(Running):
    _instance: Instance
    _forward: Forward

    def __init__(self, clone: str, service: _Service, emulators: Emulators, place: Place) -> None:
        # The HTTP library is loaded for those who have an emulator.
        from archal_lambda.local.emulate.forward import Forward, Origin  # noqa: PLC0415 - see above

        self._at = Origin
        self._forward = Forward(
            Origin(scheme="http", host=_HOST, port=0),
            host=host_of(clone),
            disguised=True,
            path=as_service(clone),
            mend=_mended(clone),
            posts=clone
            == "slack",  # docs.slack.dev, "Using the Slack Web API": methods take GET and POST
        )
        self._guard = Guard(self._forward) if clone == "stripe" else None
        super().__init__(_as_written(clone, self._guard or self._forward))
        self._service = service
        self._emulators = emulators
        self._place = place
        self._marks: list[int] = []

    async def begin(self) -> None:
        """Start an instance with the state of the seed."""
        service, place = self._service, self._place
        block: Mapping[str, Any] = place.document or service.begin  # type: ignore[assignment]  # from `read_seed`
        seed: dict[str, object] = {service.name: block}
        if isinstance(block.get("tokens"), dict):  # of all services, as emulate has it
            seed["tokens"] = block["tokens"]
        request: dict[str, object] = {
            "service": service.name,
            "baseUrl": place.base_url,
            "seed": {} if place.seed == _DEFAULT else seed,
            "clear": () if place.seed == _DEFAULT else service.clear,
            "zero": {} if place.seed == _DEFAULT else service.zero,
        }
        instance = await self._emulators.open(request, failed=place.failed)
        await self._forward.move(
            self._at(scheme="http", host=_HOST, port=instance.port), instance.key
        )
        self._instance = instance

    async def reset(self) -> None:
        """Start anew: emulate's own reset keeps the rate limit."""
        old = self._instance
        await self.begin()
        if self._guard is not None:
            self._guard.put({})
        await old.close()

    async def snapshot(self) -> object:
        """See `Running.snapshot`."""
        number: int = (await self._instance.ask("snapshot"))["mark"]
        self._marks.append(number)
        return _Mark(number=number, made=None if self._guard is None else self._guard.taken())

    async def restore(self, mark: object) -> None:
        """See `Running.restore`."""
        if not isinstance(mark, _Mark):
            raise TypeError("mark must be what snapshot() gave")
        await self._instance.ask("restore", mark=mark.number)
        if self._guard is not None and mark.made is not None:
            self._guard.put(mark.made)

    async def state(self) -> StateOf:
        """Describe every object, without what may be a secret."""
        found: dict[str, list[dict[str, object]]] = await self._instance.ask("state")
        return {
            name.partition(".")[2]: self._by_name(items)
            for name, items in found.items()
            if items and not _HIDDEN.search(name)
        }

    async def close(self) -> None:
        """End it."""
        await self._instance.forget(self._marks)
        await self._instance.close()
        await self._forward.close()

    def _by_name(self, items: list[dict[str, object]]) -> dict[str, object]:
        named: dict[str, object] = {}
        for item in items:
            fields = (item[field] for field in self._service.known_by if item.get(field))
            name = str(next(fields, item["id"]))
            shown = {field: value for field, value in item.items() if not _LEFT_OUT.search(field)}
            named[name if name not in named else f"{name} ({item['id']})"] = shown
        return named


def _as_written(clone: str, app: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if is_odd(scope["raw_path"]):
            await refusal(clone, 404, "Not Found")(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def _mended(clone: str) -> Callable[[Answer], None]:
    def mend(answer: Answer) -> None:
        if any(name == _MARKER for name, _ in answer.headers):
            answer.body = msgspec.json.encode(spelled(clone, answer.status, _NOT_BUILT))
        elif clone == _OWN:
            answer.body = _as_github(answer)

    return mend


def _as_github(answer: Answer) -> bytes:
    # GitHub says the status in the body, too, and links its own documentation.
    try:
        body = msgspec.json.decode(answer.body, type=dict[str, object])
    except msgspec.MsgspecError:
        return answer.body
    body["documentation_url"] = "https://docs.github.com/rest"
    return msgspec.json.encode({**body, "status": str(answer.status)})
