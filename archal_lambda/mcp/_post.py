"""One message to a server, and what came back.

This module owns how a message travels. It must not decide what is sent, nor what an answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from archal_lambda.core.bodies import Reading
from archal_lambda.core.flow import Flow, exchange
from archal_lambda.core.headers import Headers
from archal_lambda.core.hooks import tell_progress
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.mcp._mirrored import mirrored
from archal_lambda.mcp._servers import Server, learnt_of
from archal_lambda.mcp._wire import Answer, Era, headers_of, message_of

__all__ = ["Asked", "Outcome", "Progress", "notify", "post"]

Progress = Callable[[float, "float | None"], object]

# What a call is about, where telling of it is no telling of its arguments: the name of a tool or a prompt.
_NAMED = frozenset({"tools/call", "prompts/get"})
_numbers = count(1)


class Asked(NamedTuple):
    """A call, whatever the era."""

    method: str
    params: Mapping[str, Any]
    progress: Progress | None = None

    @property
    def operation(self) -> str:
        """What the call does, in words that show none of its arguments."""
        name = self.params["name"] if self.method in _NAMED else ""
        return f"{self.method} {name}".rstrip()


class Outcome(NamedTuple):
    """What came back."""

    response: Response
    answer: Answer


def post(server: Server, era: Era, asked: Asked) -> Flow[Outcome]:
    """Send a request and read its answer."""
    method, params, progress = asked
    number = next(_numbers)
    streams: list[Answer] = []
    told = None
    if progress is not None:
        told = partial(tell_progress, progress, server.options.unreported)

    def begin(_: int, headers: Headers) -> Answer | None:
        answer = Answer(number, headers, told)
        streams[:] = [answer] if answer.is_stream else []
        return answer if answer.is_stream else None

    content = message_of(era, method, params, number, progress=progress is not None)
    wanted = learnt_of(server).wishes.get(params["name"], {}) if method == "tools/call" else {}
    headers = headers_of(era, method, params, mirrored(wanted, params.get("arguments")))
    request = Request("POST", server.path, content=content, headers=headers)
    response = yield from _exchange(server, request, Reading(asked.operation, begin))
    if streams:
        streams[0].end(b"")
        return Outcome(response, streams[0])
    answer = Answer(number, response.headers, told)  # one body, or the transport is not ours
    answer.end(response.content)
    return Outcome(response, answer)


def notify(server: Server, era: Era, method: str) -> Flow[Response]:
    """Send a notification, which has no answer."""
    content = message_of(era, method, {}, None)
    request = Request("POST", server.path, content=content, headers=headers_of(era, method, {}, {}))
    return (yield from _exchange(server, request, Reading(method, _nobody)))


def _exchange(server: Server, request: Request, reading: Reading) -> Flow[Response]:
    return (
        yield from exchange(
            request.read_by(reading),
            server.base,
            server.options,
            server.jitter,
            server.clone,
            server.known,
        )
    )


def _nobody(_status: int, _headers: Headers) -> None:
    return None
