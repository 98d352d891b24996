"""Recordings of runs against Archal, which `ReplayTransport` plays.

This module owns when a recording is written and when it takes its place. What of an exchange is recorded is for
`recording.redaction`. It must not open a connection of its own: what is sent goes through another transport.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import ConfigurationError, TransportError
from archal_lambda.testing.recording.form import first_line, line_of
from archal_lambda.testing.recording.redaction import Redaction, reads_a_secret
from archal_lambda.testing.wrapped import Wrapped
from archal_lambda.transports.base import AsyncTransport, Transport

__all__ = ["RecordTransport"]


class RecordTransport:
    """A transport that writes down what goes through another one, for `ReplayTransport`; it records in a `with` block.

    The file is JSON Lines, an exchange a line, written as they come to a file beside it (`….partial`). It takes the
    place of an older recording when the block ends without an error; else the older one stays. Closing a client only
    closes the other transport.

    Recorded are the method, the clone, the path, the query, the media types and the body of a request, and the status,
    the body and some headers of a response, or the error in its place. Base URLs and ids of sessions are placeholders.
    There is no credential in it: of headers, those alone that a list names; in bodies and queries, nothing that is one
    by its name or looks, and nothing of 6 or more characters that was one in a header before. `[redacted]` stands in
    its place, and is what a replay gives. Whatever else is in a body is recorded: use data of no account.

    Which clone a request is for is read from its base URL, `…/{clone}/api`, and `…/{clone}/mcp` beside it.

    Args:
        path: The file.
        transport: What sends; None makes the one of `Clones` or `AsyncClones`, on hosts with sockets.
        clone_urls: Clone id to base URL, for clones whose URL does not tell.
        ca_file: A PEM file for the transport that is made here; None means the system's certificates.

    Attributes:
        path: The file.

    Raises:
        ConfigurationError: If `clone_urls` has a URL that none can have, or, as the block begins, the file cannot be
            written.

    Example:
        >>> import tempfile
        >>> from archal_lambda import Clones, Response, Settings
        >>> from archal_lambda.testing import RecordTransport, ReplayTransport
        >>> from archal_lambda.transports.mock import MockTransport
        >>> settings = Settings(clone_urls={"github": "https://clone.test/github/api"}, token="t")
        >>> mock = MockTransport(lambda _: Response(200, json={"login": "me"}))
        >>> file = f"{tempfile.mkdtemp()}/user.jsonl"
        >>> with RecordTransport(file, mock) as recording:
        ...     Clones(settings, transport=recording)["github"].get("/user").status_code
        200
        >>> Clones(settings, transport=ReplayTransport(file))["github"].get("/user").json()
        {'login': 'me'}
    """

    __module__ = "archal_lambda.testing"

    def __init__(
        self,
        path: str | os.PathLike[str],
        transport: Transport | AsyncTransport | None = None,
        *,
        clone_urls: Mapping[str, str] | None = None,
        ca_file: str | None = None,
    ) -> None:
        self.path = Path(path)
        self._redaction = Redaction(clone_urls)
        self._wrapped = Wrapped(transport, ca_file, behind="the file is the first argument")
        self._partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._file is not None:
            raise RuntimeError("the recording is under way already")
        try:
            # One file each for workers that record the same; in one process, the second is refused.
            self._file = self._partial.open("xb")
        except OSError as error:
            reason = f"names {self.path}, which cannot be written: {error.strerror}"
            raise ConfigurationError("path", reason) from None
        self._file.write(first_line())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
            if kind is None:
                self._partial.replace(self.path)
        finally:
            with suppress(OSError):  # nothing is there once it took its place
                self._partial.unlink()

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request, and record it with what came of it.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt.

        Returns:
            The response of the other transport.

        Raises:
            TransportError: If the other transport fails.
            RuntimeError: Outside of the `with` block.
            TypeError: If the other transport is for asynchronous clients only.
        """
        self._begin()
        try:
            response = self._wrapped.send(request, deadline, timeout)
        except TransportError as error:
            self._keep(request, error)
            raise
        self._keep(request, response)
        return response

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request, and record it with what came of it; for asynchronous clients.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt.

        Returns:
            The response of the other transport.

        Raises:
            TransportError: If the other transport fails.
            RuntimeError: Outside of the `with` block.
            TypeError: If the other transport is for synchronous clients only.
        """
        self._begin()
        try:
            response = await self._wrapped.asend(request, deadline, timeout)
        except TransportError as error:
            self._keep(request, error)
            raise
        self._keep(request, response)
        return response

    def close(self) -> None:
        """Close the other transport; the recording goes on."""
        self._wrapped.close()

    async def aclose(self) -> None:
        """Close the other transport, and what it read a secret with; the recording goes on."""
        await self._wrapped.aclose()

    def _begin(self) -> None:
        if self._file is None:
            raise RuntimeError(
                "RecordTransport records in a with block, which has to be around this call"
            )

    @guarded
    def _keep(self, request: Request, outcome: Response | TransportError) -> None:
        if reads_a_secret(request):
            return
        asked = self._redaction.asked(request)
        if isinstance(outcome, Response):
            exchange = self._redaction.answered(request, asked, outcome)
        else:
            exchange = self._redaction.failed(asked, outcome)
        line = line_of(exchange)
        with self._lock:
            if self._file is not None:
                self._file.write(line)
                self._file.flush()
