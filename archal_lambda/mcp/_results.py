"""What an answer means: its result, or the error that it is.

This module owns the reading of answers that have come. It must not send anything.
"""

from __future__ import annotations

from typing import Any, cast

from archal_lambda.core.error_bodies import error_message
from archal_lambda.errors import ConnectionLost, McpError
from archal_lambda.mcp._post import Outcome

__all__ = ["code_of", "part_of", "result_of"]


def result_of(outcome: Outcome, operation: str) -> dict[str, Any]:
    """Give the result of an operation, which errors name; a refusal is a `McpError`."""
    response, answer = outcome
    message = answer.message
    if message is None:
        response.raise_for_status()
        if answer.is_stream:  # it ended, and what was asked may be done
            raise ConnectionLost(
                "connection lost: the stream ended before the answer",
                sent=True,
                method=response.method,
                url=response.url,
                elapsed=response.elapsed,
                attempts=response.attempts,
            )
        what = "an answer that cannot be read" if answer.unreadable else "no answer to the request"
        raise McpError(f"{operation}: the response has {what}")
    result = message.get("result")
    if isinstance(result, dict):
        found = cast("dict[str, Any]", result)
        if found.get("resultType") not in {None, "complete"}:
            raise McpError(f"{operation}: the server asks for input, which this client has none of")
        return found
    error = part_of(message, "error")
    if not error:
        raise McpError(f"{operation}: the answer has neither a result nor an error")
    words, code, detail = error_message(error), code_of(message), error.get("message")
    told = f"error {code}" if code is not None else "error"
    raise McpError(
        f"{operation}: {told}{f': {words}' if words else ''}",
        code=code,
        detail=detail if isinstance(detail, str) else None,
    )


def code_of(message: dict[str, Any] | None) -> int | None:
    """Give the code of an error, if it is one."""
    code = part_of(message, "error").get("code")
    return code if isinstance(code, int) else None


def part_of(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - JSON may be anything
    """Give an object within another, empty where there is none."""
    part = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}
