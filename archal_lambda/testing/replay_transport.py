"""Recordings in place of a network.

This module owns which recorded exchange answers a request. It must not open a connection.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from archal_lambda import errors
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import (
    ConfigurationError,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)
from archal_lambda.testing.recording.bodies import message_id, sent_body
from archal_lambda.testing.recording.form import Answered, Asked, Exchange, Failed, read
from archal_lambda.testing.recording.matching import differences, distance, fits
from archal_lambda.testing.recording.redaction import Redaction, reads_a_secret
from archal_lambda.testing.shown import HIDDEN

__all__ = ["ReplayMissError", "ReplayTransport"]

_FACTS = ("phase", "status_code", "limit")


class ReplayMissError(AssertionError):
    """No recorded request is the one that was made; nothing tries again, and `except ArchalError` lets it through.

    Args:
        message: The request, the nearest recorded one, and which parts differ; never what is in a part.
    """

    __module__ = "archal_lambda.testing"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class ReplayTransport:
    """A transport that answers from a recording of `RecordTransport`, in no time and without a network.

    A request is the recorded one if method, clone, path and query are the same, the last in any order, and so are
    `Content-Type`, `Accept` and the body; JSON and forms are compared as values. Both are compared without secrets, and
    what is `[redacted]` in one may be anything in the other. Other headers, such as `Idempotency-Key`, are not
    compared. Each recorded exchange is used once, those of equal requests in order; a recorded failure is raised again.
    Base URLs and ids of sessions are those of the replay; a session that is created has an address that nobody has.

    Clients may share it, also on several threads. It serves synchronous and asynchronous clients.

    Args:
        path: The file.
        repeat: Whether the last of equal exchanges may be used again.
        clone_urls: Clone id to base URL, for clones whose URL does not tell.

    Attributes:
        path: The file.

    Raises:
        ConfigurationError: If the file does not exist, is damaged, or of a newer version, with its line; or
            `clone_urls` has a URL that none can have.

    Example:
        >>> from archal_lambda.testing import ReplayTransport
        >>> ReplayTransport("recordings/nobody-made-it.jsonl")
        Traceback (most recent call last):
        archal_lambda.errors.ConfigurationError: recording ... does not exist; record it with RecordTransport
    """

    __module__ = "archal_lambda.testing"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        repeat: bool = False,
        clone_urls: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._repeat = repeat
        self._redaction = Redaction(clone_urls)
        self._exchanges = read(self.path)
        self._by_path: defaultdict[str, list[int]] = defaultdict(list)
        for number, exchange in enumerate(self._exchanges):
            path = exchange.request.path
            self._by_path[HIDDEN if HIDDEN in path else path].append(number)
            if exchange.error is not None and not _is_known(exchange.error):
                reason = f"{self.path}, line {number + 2}: names an error that is unknown"
                raise ConfigurationError("recording", reason)
        self._used: set[int] = set()
        self._lock = threading.Lock()

    @property
    def unused(self) -> tuple[str, ...]:
        """The recorded requests that were never made, such as `POST github /user/repos`, in order."""
        with self._lock:
            used = set(self._used)
        return tuple(
            _title(exchange.request)
            for number, exchange in enumerate(self._exchanges)
            if number not in used
        )

    @guarded
    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Answer a request.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have been called.
            timeout: Unused; a replay takes no time.

        Returns:
            The recorded response.

        Raises:
            TransportError: If a failure was recorded, or the deadline is over.
            ReplayMissError: If no recorded request that is left is the same.
        """
        del timeout
        if deadline.expired:
            raise RequestTimeout(
                "timed out (send)", phase="send", method=request.method, url=request.url
            )
        if reads_a_secret(request):
            return Response(200, json={"SecretString": "replayed"}, request=request)
        exchange = self._take(self._redaction.asked(request))
        if exchange.error is not None:
            raise _error(exchange.error, request)
        assert exchange.response is not None  # noqa: S101 - `read` has seen to it
        return self._response(exchange.response, request)

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Answer a request; for asynchronous clients.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have been called.
            timeout: Unused; a replay takes no time.

        Returns:
            The recorded response.

        Raises:
            TransportError: If a failure was recorded, or the deadline is over.
            ReplayMissError: If no recorded request that is left is the same.
        """
        return self.send(request, deadline, timeout)

    def close(self) -> None:
        """Do nothing; there is no connection."""

    async def aclose(self) -> None:
        """Do nothing; there is no connection."""

    def _take(self, asked: Asked) -> Exchange:
        with self._lock:
            fitting = [
                one for one in self._places(asked) if fits(self._exchanges[one].request, asked)
            ]
            number = next((one for one in fitting if one not in self._used), None)
            if number is None and fitting and self._repeat:
                number = fitting[-1]
            if number is not None:
                self._used.add(number)
                return self._exchanges[number]
        raise ReplayMissError(self._miss(asked, len(fitting)))

    def _places(self, asked: Asked) -> Iterable[int]:
        """Give the numbers of the exchanges that may be the one: those of the path, and those of a hidden one."""
        if HIDDEN in asked.path:
            return range(len(self._exchanges))
        return sorted(self._by_path[asked.path] + self._by_path[HIDDEN])

    def _miss(self, asked: Asked, times: int) -> str:
        what = f"{_title(asked)} is not in {self.path}"
        if times:
            often = "once" if times == 1 else f"{times} times"
            return f"{what} so often: it was recorded {often}; repeat=True uses the last one again"
        if not self._exchanges:
            return f"{what}, which has no request at all"
        number = min(
            range(len(self._exchanges)),
            key=lambda one: distance(self._exchanges[one].request, asked),
        )
        nearest = self._exchanges[number].request
        differ = ", ".join(differences(nearest, asked))
        return f"{what}; the nearest is line {number + 2}, {_title(nearest)}, of which differ: {differ}"

    def _response(self, recorded: Answered, request: Request) -> Response:
        names = self._redaction.names
        headers = [(name, names.show(value)) for name, value in recorded.headers]
        kind = next((value for name, value in headers if name == "content-type"), "")
        content = sent_body(recorded.body, kind, names, number=message_id(request.content))
        return Response(recorded.status, headers=headers, content=content, request=request)


def _title(asked: Asked) -> str:
    return " ".join(part for part in (asked.method, asked.clone, asked.path) if part)


def _is_known(failed: Failed) -> bool:
    kind = getattr(errors, failed.type, None)
    if not (isinstance(kind, type) and issubclass(kind, TransportError)):
        return False
    try:
        _error(failed, Request("GET", "/"))
    except TypeError:  # a fact that it has not, or has not got
        return False
    return True


def _error(failed: Failed, request: Request) -> TransportError:
    """Make the error anew, as one of this request."""
    kind = getattr(errors, failed.type)
    facts: dict[str, Any] = {"method": request.method, "url": request.url, "sent": failed.sent}
    facts |= {name: value for name in _FACTS if (value := getattr(failed, name)) is not None}
    error: TransportError = (
        kind(**facts) if kind is ResponseTooLarge else kind(failed.reason, **facts)
    )
    return error
