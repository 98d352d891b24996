"""`archal.webhooks`: who is told of everything, and what came of each delivery.

This module owns the public methods. It must not do anything that `Dispatch` does not.
"""

# Annotations are evaluated here, so that the hints of public names resolve wherever they are asked for.

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from archal_lambda.core.secrets import Secret, guarded
from archal_lambda.errors import ConfigurationError
from archal_lambda.lambda_events.values import Shape
from archal_lambda.local.webhooks.delivery import Delivery
from archal_lambda.local.webhooks.dispatch import Dispatch
from archal_lambda.local.webhooks.targets import Target, Wish

__all__ = ["Handler", "WebhookTarget", "Webhooks"]

Handler = Callable[[Any, Any], object]


class WebhookTarget:
    """A target that `deliver_to` made; a context manager that removes it at the end.

    Attributes:
        id: What it goes by under `/_archal/webhooks/targets`.
        name: The handler's name, or the URL without query and credentials.
    """

    __module__ = "archal_lambda.local"

    def __init__(self, dispatch: Dispatch, target: Target) -> None:
        self._dispatch = dispatch
        self._number = target.number
        self.id = target.id
        self.name = target.name

    def remove(self) -> None:
        """Deliver nothing more to it, unless it is removed; what is under way goes on, what is queued is dropped."""
        self._dispatch.remove(self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<WebhookTarget {self.id}: {self.name}>"


class Webhooks:
    """The deliveries of a local Archal, as `archal.webhooks`.

    What the clones tell goes to their own hooks, which their APIs make, and to the targets of `deliver_to`. Nothing
    leaves the machine: a hook whose URL is not a loopback address is recorded as refused.

    Example:
        >>> from archal_lambda.local import LocalArchal
        >>> with LocalArchal() as archal:
        ...     target = archal.webhooks.deliver_to(lambda event, context: {"statusCode": 202})
        ...     archal.webhooks.wait_idle()
        ...     archal.webhooks.deliveries
        ()
    """

    __module__ = "archal_lambda.local"

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    @property
    def secret(self) -> str:
        """What targets without a secret of their own are signed with: a random one of each local Archal."""
        return self._dispatch.secret.reveal()

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The last 2,000 deliveries, in the order in which they were done."""
        return self._dispatch.kept()

    @guarded
    def deliver_to(  # noqa: PLR0913 - each is one independent knob of a target
        self,
        target: Handler | str | object,
        shape: Shape = "function-url",
        *,
        clone: str | None = None,
        events: Iterable[str] | None = None,
        secret: str | None = None,
        path: str = "/",
        timeout: float | None = None,
        concurrency: int = 1,
        duplicates: int = 0,
        shuffle: int | None = None,
    ) -> WebhookTarget:
        """Deliver what the clones of the ready session tell from now on, started or not.

        It is like a hook on everything, signed as each service signs. Resets do not remove it, but drop what is queued.
        It is signed at the real time whatever the clone's clock says, because verifiers look at its age. Order is kept,
        and one delivery is made at a time. A handler runs on a thread of its own, so it may call the
        clones; what it raises is recorded, and raised nowhere.

        Args:
            target: A handler, `handler(event, context)`; an `archal_lambda.invoke.Function`, or whatever else has
                `invoke(event)`; or a loopback URL, which gets the request as the service sends it.
            shape: The event that a handler or function gets, as in `archal_lambda.testing.make_event`.
            clone: Clone id; None for all.
            events: Events as the service calls them, such as `issues` or `customer.created`, or with the action behind
                a dot, `issues.opened`; `*` stands for anything. None for all.
            secret: What to sign with; None for `secret` of this object.
            path: Path of the request that the event is made of.
            timeout: Seconds until a delivery is given up, and what the context has. None for 15, for the limit of a
                Function, and for 10 of a URL. A handler that goes on cannot be ended; it is left to its thread.
            concurrency: How many are made at once, from 1 to 100.
            duplicates: How often each is made again with the same id, from 0 to 100.
            shuffle: A seed. Deliveries are held until `wait_idle`, which makes them in an order of its own; what they
                cause is the next round. The same seed gives the same order.

        Returns:
            A handle that removes it.

        Raises:
            ConfigurationError: If an argument is out of range.
        """
        given: Any = secret
        if given is not None and not (isinstance(given, str) and given):
            raise ConfigurationError("secret", "must be a text that is not empty")
        wish = Wish(
            shape=shape,
            clone=clone,
            events=events,
            path=path,
            timeout=timeout,
            concurrency=concurrency,
            duplicates=duplicates,
            shuffle=shuffle,
        )
        own = None if secret is None else Secret(secret)
        return WebhookTarget(self._dispatch, self._dispatch.add(target, own, wish))

    def wait_idle(self, timeout: float = 5.0) -> None:
        """Wait until nothing is queued or under way, also of what the deliveries themselves cause.

        Args:
            timeout: Seconds, at most.

        Raises:
            ConfigurationError: If `timeout` is not such a number.
            TimeoutError: If something still is; it names what.
            RuntimeError: If deliveries caused deliveries without end and were cut off, or this is the thread of a
                delivery or the server's own, which cannot wait for itself.
        """
        self._dispatch.wait(timeout)

    def redeliver(self, delivery: Delivery) -> None:
        """Make a delivery once more, with the same id and payload, signed anew.

        Args:
            delivery: One of `deliveries`.

        Raises:
            ConfigurationError: If it is not one of the last 2,000 of this local Archal, or its target was removed.
            RuntimeError: If the local Archal does not run.
        """
        self._dispatch.redeliver(delivery.number)

    def clear(self) -> None:
        """Remove every target and forget the deliveries, whose numbers go on; hooks are state and stay."""
        self._dispatch.clear()

    def __repr__(self) -> str:
        told = len(self._dispatch.targets())
        return f"<Webhooks: {told} targets, {self._dispatch.done} deliveries>"
