"""The control plane's operations: arguments to requests, answers to models.

This module owns which method and path an operation has, the limits of its arguments, and which statuses fail
it. It must not send anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast
from urllib.parse import quote

from archal_lambda import errors
from archal_lambda.core.exchange import Plan, RetryPolicy
from archal_lambda.core.models import Session, SessionList, SessionName, encode
from archal_lambda.core.request import Request
from archal_lambda.core.response import status_error

if TYPE_CHECKING:
    from archal_lambda.core.response import Response

__all__ = [
    "CONTROL_PLAN",
    "SessionFields",
    "create_session",
    "delete_session",
    "get_session",
    "list_sessions",
    "read_deleted",
    "read_session",
    "read_session_id",
    "read_sessions",
    "read_value",
]

T = TypeVar("T")

# Two retries, a second or two in all: enough for a deployment's blip, short enough for an invocation.
CONTROL_PLAN = Plan(
    RetryPolicy(attempts=3, backoff=0.5),
    retry_statuses=frozenset({429, 502, 503, 504}),
    direct=True,
)

_MAX_IDEMPOTENCY_KEY = 200  # characters; Archal OpenAPI 0.3.0
_RANGES = {  # the same source, CreateSessionRequest
    "ttl_seconds": (1, 86_400),
    "scenario_run_count": (1, 1_000),
    "rate_limit": (1, 100_000),
}
_TYPES = {"scenario_id": str, "transport": str, "preflight_only": bool}


class SessionFields(TypedDict, total=False):
    """The optional fields of a creation (`CreateSessionRequest`, Archal OpenAPI 0.3.0); None leaves one out.

    `ttl_seconds` is 1 to 86,400 and a wish: read `expires_at`. `scenario_run_count` is 1 to 1,000. `rate_limit`
    is a budget of 1 to 100,000 requests, after which the clones answer 429. `seeds` maps clones to seed names.
    """

    scenario_id: str | None
    preflight_only: bool | None
    transport: str | None
    ttl_seconds: int | None
    scenario_run_count: int | None
    rate_limit: int | None
    seeds: dict[str, str] | None
    routing: dict[str, Any] | None
    source: dict[str, Any] | None
    credential: dict[str, Any] | None
    run_config: dict[str, Any] | None
    scenario_draft: dict[str, Any] | None
    run_project: dict[str, Any] | None


def create_session(
    *, clones: Iterable[str], idempotency_key: str, fields: SessionFields
) -> Request:
    """Make the request that creates a session.

    Args:
        clones: Ids of the clones, one or more.
        idempotency_key: 1 to 200 characters, the same for every try of one creation.
        fields: The optional fields.

    Returns:
        The request.

    Raises:
        ValueError: If an argument is out of range; it is named.
        TypeError: If an argument has the wrong type; it is named.
    """
    if isinstance(clones, str | bytes) or not isinstance(clones, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError("clones must be a list of clone ids")
    ids: list[object] = list(clones)
    if not ids or not all(isinstance(clone, str) and clone for clone in ids):
        raise ValueError("clones must be a list of one or more clone ids")
    if not isinstance(idempotency_key, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError("idempotency_key must be a str")
    if not 1 <= len(idempotency_key) <= _MAX_IDEMPOTENCY_KEY:
        raise ValueError(f"idempotency_key must have 1 to {_MAX_IDEMPOTENCY_KEY} characters")
    body: dict[str, Any] = {"clones": ids}
    for name, value in fields.items():
        if value is not None:
            _check(name, value)
            body[_camel(name)] = value
    for name, value in [("clones", ids), *fields.items()]:
        _check_json(name, value)
    return Request("POST", "/api/sessions", json=body, headers={"Idempotency-Key": idempotency_key})


def get_session(session_id: str) -> Request:
    """Make the request that reads one session.

    Args:
        session_id: Its id.

    Returns:
        The request.

    Raises:
        ValueError: If the id is empty or no id.
    """
    return Request("GET", _session_path(session_id))


def list_sessions() -> Request:
    """Make the request that lists the active sessions.

    Returns:
        The request.
    """
    return Request("GET", "/api/sessions")


def delete_session(session_id: str) -> Request:
    """Make the request that stops a session.

    Args:
        session_id: Its id.

    Returns:
        The request.

    Raises:
        ValueError: If the id is empty or no id.
    """
    return Request("DELETE", _session_path(session_id))


def read_session(response: Response, request: Request) -> Session:
    """Turn an answer into a session.

    Args:
        response: The answer.
        request: What it answers.

    Returns:
        The session.

    Raises:
        StatusError: If the status is not 2xx.
        DecodeError: If the body is no session.
    """
    return read_value(response, request, Session)


def read_session_id(response: Response, request: Request) -> str:
    """Take no more than the id from an answer, to stop a session that is otherwise unreadable.

    Args:
        response: The answer.
        request: What it answers.

    Returns:
        The session's id.

    Raises:
        StatusError: If the status is not 2xx.
        DecodeError: If the body holds no id.
    """
    return read_value(response, request, SessionName).session_id


def read_sessions(response: Response, request: Request) -> list[Session]:
    """Turn an answer into a list of sessions.

    Args:
        response: The answer.
        request: What it answers.

    Returns:
        The sessions, in the server's order.

    Raises:
        StatusError: If the status is not 2xx.
        DecodeError: If the body is no such list.
    """
    return read_value(response, request, SessionList).sessions


def read_deleted(response: Response, request: Request) -> None:
    """Judge the answer to a DELETE.

    Args:
        response: The answer.
        request: What it answers. A 404 to a repeated request means that an earlier try, whose answer was
            lost, has done the work.

    Raises:
        TeardownFailedError: For 502: the session may still run.
        StatusError: For any other status but 2xx.
    """
    if response.is_success or (response.status_code == 404 and response.attempts > 1):  # noqa: PLR2004 - Not Found
        return
    if response.status_code == 502:  # noqa: PLR2004 - Archal OpenAPI 0.3.0: teardown failed
        raise errors.TeardownFailedError(response, method=request.method, url=request.url)
    raise status_error(response, method=request.method, url=request.url, routed=False)


def read_value(response: Response, request: Request, type: type[T]) -> T:  # noqa: A002 - as in decode
    """Turn an answer into a value.

    Args:
        response: The answer.
        request: What it answers.
        type: What the body should hold.

    Returns:
        The decoded body.

    Raises:
        StatusError: If the status is not 2xx.
        DecodeError: If the body is of another shape.
    """
    if not response.is_success:
        raise status_error(response, method=request.method, url=request.url, routed=False)
    return response.decode(type)


def _session_path(session_id: str) -> str:
    if not isinstance(session_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError("session_id must be a str")
    if not session_id or session_id in {".", ".."}:
        raise ValueError("session_id must not be empty, . or ..")
    return f"/api/sessions/{quote(session_id, safe='')}"


def _check(name: str, value: object) -> None:
    if name in _RANGES:
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number from {low} to {high}")
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}")
    elif name == "seeds":
        seeds = cast("dict[object, object]", value) if isinstance(value, dict) else {None: None}
        if not all(isinstance(text, str) for pair in seeds.items() for text in pair):
            raise TypeError("seeds must be a dict of clone id to seed name")
    elif name not in SessionFields.__annotations__:
        raise TypeError(f"{name} is no field of a session")
    elif not isinstance(value, _TYPES.get(name, dict)):
        raise TypeError(f"{name} must be a {_TYPES.get(name, dict).__name__}")


def _check_json(name: str, value: object) -> None:
    # The whole body is encoded later, where nobody knows the name any more.
    wrong: type[Exception] | None = None
    try:
        encode(value)
    except TypeError:
        wrong = TypeError
    except (ValueError, RecursionError):
        wrong = ValueError
    if wrong is not None:  # raised here, so that no context drags a value along
        raise wrong(f"{name} holds something that JSON cannot")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
