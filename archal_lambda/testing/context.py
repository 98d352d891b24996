"""A Lambda context for handlers that run outside Lambda.

This module owns the stand-in for the object that AWS passes as `context`. It must only count down, and import only the
standard library: the runner of `archal_lambda.invoke` loads this file by its path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

__all__ = ["LocalContext"]

_ACCOUNT = "123456789012"  # the account id of AWS's own documentation
_REGION = "us-east-1"


class LocalContext:
    """The context of one invocation, whose time runs out as in Lambda.

    The attributes are those of the Python runtime (AWS Lambda Developer Guide, "Using the Lambda context object").

    Args:
        timeout: Seconds the invocation has, from now on.
        function_name: Name of the function.
        memory_limit_in_mb: Its memory.
        clock: Returns monotonic seconds.

    Example:
        >>> context = LocalContext(timeout=3.0, clock=lambda: 100.0)
        >>> context.get_remaining_time_in_millis()
        3000
    """

    __module__ = "archal_lambda.testing"

    function_version = "$LATEST"
    identity = None
    client_context = None
    tenant_id: str | None = None

    def __init__(
        self,
        *,
        timeout: float = 15.0,
        function_name: str = "local",
        memory_limit_in_mb: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._deadline = clock() + timeout
        self.function_name = function_name
        self.memory_limit_in_mb = str(memory_limit_in_mb)
        self.invoked_function_arn = f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:function:{function_name}"
        self.aws_request_id = _request_id()
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Tell how much time the invocation has left.

        Returns:
            Milliseconds, never below 0.
        """
        return max(0, round((self._deadline - self._clock()) * 1000))


def _request_id() -> str:
    """Make a random UUID (RFC 9562, section 5.4); importing the module `uuid` would slow a start down."""
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) % 4]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
