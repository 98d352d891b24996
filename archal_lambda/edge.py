"""Glue for Cloudflare Python Workers: settings from bindings, requests in, responses out, log lines.

This module owns how a Worker's own objects are turned into ours, and back. It must not make calls. It does nothing when
it is imported: a Worker may neither draw a random number nor read a clock while it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from archal_lambda.core import error_responses
from archal_lambda.core.environment import NAMES, rest_url_name
from archal_lambda.core.json import decode, encode
from archal_lambda.core.records import CallRecord, log_fields, log_level
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import Settings
from archal_lambda.errors import ArchalError, ConfigurationError

if TYPE_CHECKING:
    import workers

__all__ = [
    "failure_response",
    "from_worker_response",
    "json_response",
    "log_call",
    "read_json",
    "settings_from_env",
    "to_worker_response",
]

T = TypeVar("T")

# What belongs to the connection that the response came on (RFC 9110, section 7.6.1), and what was undone or changes
# with the body, which is plain here.
_OF_THE_HOP = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_BODILESS = frozenset({204, 205, 304})  # Fetch Standard, "null body status"


@guarded
def settings_from_env(env: object, *, clones: Iterable[str] = ()) -> Settings:
    """Read the settings from a Worker's bindings.

    Args:
        env: `self.env` of a `WorkerEntrypoint`: an object with the bindings as attributes, or a mapping. Text and
            secret bindings are strings. `AGENT_CLONE_URLS` and `AGENT_ROUTE_HEADERS` may be JSON bindings, too.
        clones: Clones whose own `ARCHAL_<CLONE>_REST_URL` and `…_MCP_URL` are to be read: a Worker cannot list its
            bindings.

    Returns:
        The settings.

    Raises:
        ConfigurationError: If a binding is missing or wrong. The error names it and says what it should contain.
    """
    variables: dict[str, str] = {}
    own = (rest_url_name(clone, surface) for clone in clones for surface in ("REST", "MCP"))
    for name in (*NAMES, *own):
        text = _text(name, _binding(env, name))
        if text:
            variables[name] = text
    settings = Settings.from_env(variables)
    if settings.token_secret is None:
        settings.require_route()
    if settings.token is None:  # with a token, sessions can be created, which have clones
        settings.require_clones()
    return settings


@guarded
async def read_json(request: workers.Request, type: type[T]) -> T:  # noqa: A002 - as in Response.decode
    """Read the JSON body of a request.

    Args:
        request: The request that a Worker's `fetch` is given.
        type: What the body should contain: any type msgspec knows.

    Returns:
        The decoded body.

    Raises:
        DecodeError: If there is no body, or it has another shape. The message shows no value of it.
    """
    return decode(await request.bytes(), type)


@guarded
def json_response(status_code: int, value: object) -> workers.Response:
    """Make the response of a Worker.

    Args:
        status_code: The HTTP status, 200 to 599.
        value: The body: anything msgspec encodes.

    Returns:
        The Worker's own kind of response.

    Raises:
        ValueError: If the status is out of range, or the value contains NaN or an infinity, which JSON has not.
    """
    return to_worker_response(error_responses.json_response(status_code, value))


def failure_response(error: ArchalError) -> workers.Response:
    """Answer a failed call: enough for the caller to act on, the details in the log.

    Args:
        error: What went wrong.

    Returns:
        The clone's own response if it refused; 504 if time ran out; 502 for everything else that is not the
        caller's fault.
    """
    if error_responses.clone_response(error) is None:
        # The message of each of our errors is made to be logged.
        _log("ERROR", "clone call failed", {"error": type(error).__name__, "reason": str(error)})
    return to_worker_response(error_responses.error_response(error))


def log_call(record: CallRecord) -> None:
    """Write one line of JSON for a call, for `on_call=log_call` of `AsyncClones` and `AsyncArchalClient`.

    Args:
        record: The call. Its outcome decides the level, as with `powertools.log_calls`. The line contains no body, no
            query string, and no header but the request id.
    """
    message = "clone call" if record.clone else "session call"
    _log(log_level(record), message, log_fields(record))


@guarded
def to_worker_response(response: Response) -> workers.Response:
    """Turn one of our responses into the Worker's own kind.

    Args:
        response: The response, such as a clone's.

    Returns:
        Its status, headers and body. Headers of the connection that it came on are left out.

    Raises:
        ValueError: If the status is not from 200 to 599: a Worker can send no other.
    """
    import js  # noqa: PLC0415 - is there on that host only
    import workers  # noqa: PLC0415 - the same
    from pyodide.ffi import to_js  # noqa: PLC0415 - the same

    status = response.status_code
    if not 200 <= status <= 599:  # noqa: PLR2004 - Fetch Standard, Response()
        raise ValueError("status must be from 200 to 599")
    fields = [list(pair) for pair in response.headers.pairs if pair[0].lower() not in _OF_THE_HOP]
    return workers.Response(
        None if status in _BODILESS else response.content,
        status=status,
        headers=js.Headers.new(to_js(fields)),
    )


@guarded
async def from_worker_response(response: workers.Response) -> Response:
    """Turn a Worker's response into one of ours, body read.

    Args:
        response: The response that `workers.fetch` or a service binding gives.

    Returns:
        The response.
    """
    import js  # noqa: PLC0415 - is there on that host only

    original = response.js_object
    content: bytes = (await original.arrayBuffer()).to_bytes()
    fields = js.Array.from_(original.headers.entries()).to_py()
    return Response(
        original.status, headers=[(name, value) for name, value in fields], content=content
    )


def _binding(env: object, name: str) -> object:
    if isinstance(env, Mapping):
        return cast("Mapping[str, object]", env).get(name)
    return getattr(env, name, None)


def _text(name: str, value: Any) -> str:  # noqa: ANN401 - a binding may be anything
    if value is None or isinstance(value, str):
        return value or ""
    plain = value.to_py() if hasattr(value, "to_py") else value  # an object of JavaScript
    try:
        return encode(plain).decode()
    except TypeError:
        raise ConfigurationError(name, "must be a text, secret or JSON binding") from None


def _log(level: str, message: str, fields: dict[str, object]) -> None:
    # What is printed is the Worker's log; lines of JSON are searchable there.
    print(encode({"level": level, "message": message, **fields}).decode())  # noqa: T201 - see above
