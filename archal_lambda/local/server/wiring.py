"""The parts of one server, put together.

This module owns which part knows which. It must not start anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archal_lambda.local.server.admin import Admin
from archal_lambda.local.server.app import FrontDoor
from archal_lambda.local.server.control import ControlPlane
from archal_lambda.local.server.fault_handles import fault_handles
from archal_lambda.local.server.faults import FaultPlayer
from archal_lambda.local.server.handles import state_handles
from archal_lambda.local.server.keeper import Keeper
from archal_lambda.local.server.page import page_handles
from archal_lambda.local.server.proxy import Proxy
from archal_lambda.local.server.records import Redactor
from archal_lambda.local.server.sessions import MAX_TTL, Session, SessionStore
from archal_lambda.local.server.traffic import Traffic
from archal_lambda.local.server.world import World
from archal_lambda.local.webhooks.handles import webhook_handles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archal_lambda.faults.rules import FaultRules
    from archal_lambda.local.clones.kind import CloneKind
    from archal_lambda.local.server.records import RecordedRequest
    from archal_lambda.local.webhooks.dispatch import Dispatch

__all__ = ["Parts", "Wishes", "assemble"]


class Wishes(NamedTuple):
    """What a server is to be."""

    origin: str
    users: Mapping[str, str]  # by their tokens; the first one owns the ready session
    kinds: Mapping[str, CloneKind]
    seeds: Mapping[str, str]  # of the ready session's clones
    startup_delay: float
    clock: Callable[[], float]
    faults: FaultRules
    on_record: Callable[[RecordedRequest], None]
    dispatch: Dispatch


class Parts(NamedTuple):
    """What others have to do with; the rest is behind the application."""

    app: FrontDoor
    world: World
    keeper: Keeper
    player: FaultPlayer
    ready: Session


def assemble(wishes: Wishes) -> Parts:
    """Make a server's parts, the ready session among them."""
    users, kinds, clock = wishes.users, wishes.kinds, wishes.clock
    redactor = Redactor(users)
    traffic = Traffic(redactor, users)
    store = SessionStore(startup_delay=wishes.startup_delay)
    world = World(
        origin=wishes.origin, store=store, kinds=kinds, clock=clock, dispatch=wishes.dispatch
    )
    player = FaultPlayer(wishes.faults)
    proxy = Proxy(
        users=users,
        store=store,
        kinds=kinds,
        world=world,
        clock=clock,
        redactor=redactor,
        faults=player,
    )
    control = ControlPlane(
        users=users, store=store, kinds=kinds, clock=clock, world=world, faults=player
    )
    owner = next(iter(users.values()))
    ready = store.create(owner=owner, seeds=wishes.seeds, now=clock(), ttl=MAX_TTL)
    keeper = Keeper(world=world, store=store, clock=clock)
    handles = [
        *state_handles(keeper, ready.id),
        *fault_handles(wishes.faults, kinds),
        *page_handles(traffic),
        *webhook_handles(wishes.dispatch),
    ]
    front = FrontDoor(
        control=control,
        proxy=proxy,
        admin=Admin(wishes.origin, handles),
        redactor=redactor,
        traffic=traffic,
        on_record=wishes.on_record,
    )
    return Parts(front, world, keeper, player, ready)
