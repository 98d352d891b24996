"""Reporters that show local variables, and walk into them, find no secret: after any failure, by any way in."""

from __future__ import annotations

import asyncio
import base64
import copy
import inspect
import json
import pydoc
import socket
import sys
import traceback
from types import ModuleType, SimpleNamespace
from typing import get_type_hints

import msgspec
import pytest
from support import reporters
from support.fakes import Clock, repickled, script, session
from support.faults.answers import chunked, coded, head
from support.faults.tls import Authority

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClones,
    Clones,
    Deadline,
    Headers,
    Request,
    Response,
    RetryPolicy,
    Secret,
    Settings,
    Timeout,
    edge,
    errors,
    powertools,
    read_event,
)
from archal_lambda.core import json as core_json
from archal_lambda.core.secrets import guarded
from archal_lambda.invoke import Function
from archal_lambda.testing.faulty_server import (
    FaultServer,
    answer,
    blackhole,
    cut,
    hold,
    read,
    reset,
    send,
)
from archal_lambda.transports.mock import MockTransport

PLACES = (
    *("token", "route", "service", "session_token", "environ"),
    *("params", "path", "json", "form", "content", "header", "credential", "run_config"),
    *("answer", "answer_header", "cookie", "link", "event", "argument"),
)
# Put together at run time, so that neither a scanner nor the source lines of a report have one.
S = SimpleNamespace(**{place: f"sentinel-{place}-d34db33f" for place in PLACES})
BASE = "https://clone.test/svc/api"
PATIENCE = Timeout(5.0)


LOST = errors.ConnectionLost("gone", sent=True)


class Stop(BaseException):
    """As KeyboardInterrupt, but nobody else's."""


class Foreign(Exception):  # noqa: N818 - whatever its name is
    """Another library's error."""


@pytest.fixture(scope="module")
def watch():
    """All reporters, by name."""
    with (
        pytest.MonkeyPatch.context() as patch,
        reporters.sentry() as sentry,
        reporters.rollbar_(patch) as rollbar,
    ):
        yield {
            "sentry": sentry,
            "rollbar": rollbar,
            "python": reporters.python,
            "worst": reporters.worst,
        }


@pytest.fixture
def check(watch):
    """Asserts that no reporter tells a secret."""

    def assert_clean(error):
        found = leaks(watch, error)
        assert not found, found

    return assert_clean


def leaks(watch, error):
    texts = {name: report(error) for name, report in watch.items()}
    return {
        (name, place)
        for name, text in texts.items()
        for place, secret in vars(S).items()
        if secret in text
    }


def caught(function, *args, **options):
    """What a function raises, which it must; awaited, if there is something to await."""
    try:
        result = function(*args, **options)
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


async def value(result):
    """Wait for what is there already with the synchronous clients."""
    return await result if inspect.isawaitable(result) else result


async def walk(items):
    """Walk through pages, of either kind."""
    if hasattr(items, "__aiter__"):
        return [item async for item in items]
    return list(items)


def options(*bodies):
    """The arguments of a call, each with its secret."""
    given = {body: {"password": getattr(S, body)} for body in bodies or ["json"]}
    if "content" in given:
        given["content"] = S.content
    return {
        "params": {"q": S.params},
        "headers": {"X-Note": S.header},
        "token": S.service,
    } | given


PATH = f"/things?access_token={S.path}"


def full(status=200, *, link="", **fields):
    """A response that holds secrets wherever one can."""
    headers = [("Set-Cookie", S.cookie), ("X-Any", S.answer_header), ("Set-Cookie", S.cookie)]
    if link:
        headers.append(("Link", f'<{link}{S.link}>; rel="next"'))
    body = dict.fromkeys(("message", "code", "detail"), S.answer) | fields
    return Response(status, headers=headers, json=body)


class World:
    """Clients of one kind."""

    def __init__(self, kind):
        self.kind = kind
        self.Clones = Clones if kind == "sync" else AsyncClones
        self.Client = ArchalClient if kind == "sync" else AsyncArchalClient

    def settings(self, base=BASE, **given):
        return Settings(
            clone_urls={"svc": base},
            route_headers={"x-route-authorization": f"Bearer {S.route}"},
            token=S.token,
            **given,
        )

    def clones(self, transport, base=BASE, ca_file=None, **given):
        return self.Clones(self.settings(base, ca_file=ca_file), transport=transport, **given)

    def sessions(self, *outcomes):
        sleep = Clock().sleep

        async def rest(seconds):
            sleep(seconds)

        return self.Client(
            self.settings(),
            transport=script(*outcomes),
            sleep=sleep if self.kind == "sync" else rest,
        ).sessions


@pytest.fixture(params=["sync", "async"])
def world(request):
    return World(request.param)


# --- The network.

SECRET_HEAD = head(f"Set-Cookie: {S.cookie}", f"X-Any: {S.answer_header}", "Content-Length: 99")
BODY = S.answer.encode()
FAULTS = {
    "reset at once": ([reset], {}, errors.ConnectError | errors.ConnectionLost),
    "reset after the request": ([read, reset], {}, errors.ConnectionLost),
    "closed without an answer": ([read, cut], {}, errors.ConnectionLost),
    "silent": ([read, hold], {}, errors.RequestTimeout),
    "silent in the headers": ([read, send(SECRET_HEAD[:-2]), hold], {}, errors.RequestTimeout),
    "silent in the body": ([read, send(SECRET_HEAD + BODY), hold], {}, errors.RequestTimeout),
    "reads nothing": ([hold], {"content": S.content * 400_000}, errors.RequestTimeout),
    "no status line": ([read, send(BODY + b"\r\n\r\n"), cut], {}, errors.ProtocolError),
    "bad header": ([read, send(SECRET_HEAD[:-2] + BODY + b"\r\n\r\n")], {}, errors.ProtocolError),
    "bad length": (
        [read, send(head(f"Set-Cookie: {S.cookie}", "Content-Length: -1"))],
        {},
        errors.ProtocolError,
    ),
    "bad chunk": ([read, send(chunked(BODY + b"\r\n")), cut], {}, errors.ProtocolError),
    "cut body": ([read, send(SECRET_HEAD + BODY), cut], {}, errors.ConnectionLost),
    "bad coding": ([read, send(coded("gzip", BODY))], {}, errors.ProtocolError),
    "too large": ([read, send(answer(BODY * 9))], {"limit": 9}, errors.ResponseTooLarge),
    "too large in chunks": (
        [read, send(chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)))],
        {"limit": 9},
        errors.ResponseTooLarge,
    ),
}


def fresh(outcomes):
    """Copies of the exceptions: one that is raised again keeps its old frames."""
    return [copy.copy(one) if isinstance(one, BaseException) else one for one in outcomes]


def post(world, origin, *, ca_file=None, limit=10_000, timeout=None, content=None):
    """Make a call full of secrets over real sockets, on a client of its own."""

    async def call():
        clones = world.clones(None, f"{origin}/svc/api", ca_file, max_response_bytes=limit)
        given = options() if content is None else options("content") | {"content": content}
        given["timeout"] = timeout or Timeout(0.25)
        try:
            await value(clones["svc"].post(PATH, **given))
        finally:
            await value(clones.close())

    return call


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails(check, world, fault):
    """Every way an exchange can end badly."""
    steps, given, kind = FAULTS[fault]
    with FaultServer(steps) as server:
        error = caught(post(world, server.origin, **given))
    assert isinstance(error, kind)
    check(error)


def test_nobody_listens(check, world):
    """A refused connection, and one that is neither accepted nor refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = caught(post(world, f"http://127.0.0.1:{port}"))
    assert type(error) is errors.ConnectError
    check(error)
    with blackhole() as address:
        error = caught(post(world, f"http://{address}"))
    assert (type(error), error.phase) == (errors.RequestTimeout, "connect")
    check(error)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("certificate", ["wrong_host", "expired", "untrusted", "none", "silent"])
def test_tls_that_fails(check, world, authority, certificate):
    """Certificates that are wrong, a server that speaks no TLS, and one that does not speak."""
    tls = getattr(authority, certificate, None)
    steps = [send(answer(BODY)), hold] if certificate == "none" else [hold]
    with FaultServer(steps, tls=tls, scheme="https") as server:
        error = caught(post(world, server.origin, ca_file=authority.file))
    assert isinstance(error, errors.ConnectError | errors.RequestTimeout)
    check(error)


def test_a_certificate_file_that_cannot_be_read(check, world, tmp_path):
    """It is read while the first call is made."""
    error = caught(post(world, "https://127.0.0.1:9", ca_file=str(tmp_path / "none.pem")))
    assert type(error) is errors.ConfigurationError
    check(error)


def test_a_call_that_is_cancelled(check):
    """On its way, and before it began."""

    async def on_its_way():
        with FaultServer([read, hold]) as server:
            task = asyncio.ensure_future(post(World("async"), server.origin, timeout=PATIENCE)())
            await asyncio.to_thread(server.wait_for, lambda one: one.requests)
            task.cancel()
            await task

    async def not_begun():
        sessions = World("async").sessions()
        task = asyncio.ensure_future(
            sessions.create(clones=["svc"], credential={"token": S.credential})
        )
        task.cancel()
        await task

    async def no_time():
        clone = World("async").clones(script())["svc"]
        await asyncio.wait_for(clone.post(PATH, **options()), timeout=0)

    for attack, kind in (
        (on_its_way, asyncio.CancelledError),
        (not_begun, asyncio.CancelledError),
        (no_time, TimeoutError),
    ):
        error = caught(attack)
        assert type(error) is kind
        check(error)


# --- What is handed in: transports, hooks, traces.

OUTCOMES = {
    "transport error": errors.ConnectionLost("gone", sent=True),
    "its own error": Foreign("x"),
    "interruption": Stop(),
    "no response": lambda _request: {"a": 1},
    "too deep": RecursionError(),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("way", ["post", "send", "gather", "paginate"])
def test_a_transport_that_raises(check, world, outcome, way):
    """By every way of making a call."""

    async def call():
        clones = world.clones(script(*fresh([OUTCOMES[outcome]] * 3)))
        clone = clones["svc"]
        request = Request("POST", PATH, **options())
        if way == "post":
            await value(clone.post(PATH, **options()))
        elif way == "send":
            await value(clone.send(request))
        elif way == "gather":
            results = await value(clones.gather([("svc", request), ("svc", request)]))
            raise results[0]
        else:
            await walk(clone.paginate(PATH, type=list[dict], **options()))

    check(caught(call))


@pytest.mark.parametrize("hook", ["on_call", "trace"])
@pytest.mark.parametrize("way", ["post", "gather"])
def test_a_hook_that_is_interrupted(check, world, hook, way):
    """The interruption passes; the frames of the hook are its own."""

    def fail(*_):
        raise Stop

    given = {hook: fail}

    async def call():
        clones = world.clones(script(full(), full()), **given)
        if way == "post":
            await value(clones["svc"].post(PATH, **options()))
        else:
            await value(clones.gather([("svc", Request("POST", PATH, **options()))]))

    error = caught(call)
    assert isinstance(error, Stop)
    check(error)


def test_no_time_left(check, world):
    """Nothing is sent."""

    async def call():
        clones = world.clones(script()).with_deadline(Deadline.after(0))
        await value(clones["svc"].post(PATH, **options()))

    error = caught(call)
    assert type(error) is errors.RequestTimeout
    check(error)


# --- Statuses and bodies.


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 426, 429, 500, 502])
@pytest.mark.parametrize("fields", [{}, {"error": "e"}])
def test_a_status_that_is_raised(check, world, status, fields):
    """By a clone, and by the control plane; Sentry takes an attribute `detail` for the message."""

    async def clone():
        clones = world.clones(script(full(status, **fields)))
        (await value(clones["svc"].post(PATH, **options()))).raise_for_status()

    async def control():
        sessions = world.sessions(*[full(status, **fields)] * 3)
        await value(sessions.create(clones=["svc"], credential={"token": S.credential}))

    for attack in (clone, control):
        error = caught(attack)
        assert isinstance(error, errors.StatusError)
        check(error)


def extension(request):
    """The extension that serves secrets, and a clone that refuses what it gives."""
    if request.path == "/secretsmanager/get":
        return Response(200, json={"SecretString": S.token})
    return full(401, error="unauthorized")


@pytest.mark.parametrize(
    "handler",
    [
        extension,
        lambda _request: Response(200, json={"SecretString": f'{{"a": "{S.token}"'}),
        lambda _request: Response(200, json={"SecretString": f"{S.token}\n{S.token}"}),
        lambda _request: full(500),
    ],
)
def test_a_token_that_is_read_and_refused(check, world, handler):
    """Newer headers are looked for; what comes of it holds none."""
    env = {
        "AGENT_CLONE_URLS": json.dumps({"svc": BASE}),
        "ARCHAL_TOKEN_SECRET": "name",
        "AWS_SESSION_TOKEN": S.session_token,
    }

    async def call():
        clones = world.Clones.from_env(env, transport=MockTransport(handler))
        (await value(clones["svc"].post(PATH, **options()))).raise_for_status()

    check(caught(call))


class Node(msgspec.Struct):
    login: int


@pytest.mark.parametrize("type_", [int, list[int], Node, dict[str, int]])
@pytest.mark.parametrize("end", [None, -1])
def test_a_body_that_is_not_what_was_asked_for(check, type_, end):
    """Of another shape, and no JSON at all."""
    response = full()
    response = Response(200, headers=response.headers, content=response.content[:end])
    check(caught(response.decode, type_))
    if end:
        check(caught(response.json))
        check(caught(core_json.decode_plain, response.content))


def test_headers_that_are_asked_for_in_vain(check):
    """A mapping is what reporters walk into, and its own methods have it as a variable."""
    for headers in (full().headers, Request("GET", "/", **options("content")).headers):
        for attack in (
            lambda h: h["x-none"],
            lambda h: h[5],
            lambda h: h.get_all(5),
            lambda h: setattr(h, "a", S.argument),
            lambda h: delattr(h, "a"),
        ):
            check(caught(attack, headers))
        assert headers.get(5) is None


def test_values_that_are_set(check, world):
    """They refuse, and do not keep what they were given."""
    for of in (world.settings(), full(), Request("GET", "/")):
        check(caught(setattr, of, "token", S.argument))


def test_a_copy_that_fails(check):
    """What was pickled by another version does not come back; its parts are not shown."""
    request = Request("POST", PATH, **options())
    for value in (request, World("sync").settings()):
        restore, (fields,) = value.__reduce__()
        check(caught(restore, {**fields, "unheard_of": 1}))


# --- Pages.

FIRST = Response(200, json=[S.answer], headers={"Link": f'<?page=2&c={S.link}>; rel="next"'})
PAGES = {
    "a failure": [FIRST, LOST, LOST],
    "a status": [FIRST, full(500)],
    "another shape": [FIRST, full()],
    "no list": [full()],
    "a circle": [FIRST, FIRST],
    "a wrong link": [
        Response(200, json=[S.answer], headers={"Link": f'</%zz?c={S.link}>; rel="next"'})
    ],
}


@pytest.mark.parametrize("pages", PAGES)
def test_a_walk_that_ends_early(check, world, pages):
    """On the first page, and on the second, when items of the first were handed out."""

    async def call():
        clone = world.clones(script(*fresh(PAGES[pages])))["svc"]
        await walk(clone.paginate(PATH, type=list[str], **options()))

    error = caught(call)
    assert isinstance(error, errors.ArchalError)
    check(error)


# --- Sessions.

FIELDS = {"credential": {"token": S.credential}, "run_config": {"key": S.run_config}}
KNOWN = {"evidence": {"log": S.answer}, "lastError": S.answer}
RUNNING = session(**KNOWN)
STARTING = session("starting", **KNOWN)
OPENINGS = {
    "creation refused": [full(403)],
    "creation lost, session not found": [LOST, LOST, LOST, full(404)],
    "creation unreadable": [full(), full(500), full(500), full(500)],
    "creation interrupted": [Stop(), RUNNING, full(204)],
    "ended while it started": [STARTING, session("failed", **KNOWN), full(204)],
    "wait refused": [STARTING, full(403), full(204)],
    "wait refused, stop failed": [STARTING, full(403), full(500), full(500), full(500)],
    "no clone's address": [
        session(**KNOWN, apiBaseUrls={"github": f"http://{S.answer}.test"}),
        session(**KNOWN, apiBaseUrls={"github": f"http://{S.answer}.test"}),
        full(204),
    ],
    "body raises": [RUNNING, RUNNING, full(204)],
    "body raises, stop failed": [RUNNING, RUNNING, full(403)],
    "stop failed": [RUNNING, RUNNING, full(502)] + [full(502)] * 2,
    "stop interrupted": [RUNNING, RUNNING, Stop(), full(204)],
    "call fails": [RUNNING, RUNNING, LOST, full(204)],
}


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_session_that_fails(check, world, opening):
    """At every step of `open`."""

    async def body(hosted):
        if opening.startswith("body"):
            raise Foreign("x")
        if opening.startswith("call"):
            await value(hosted.clones["github"].post(PATH, **options()))

    async def call():
        sessions = world.sessions(*fresh(OPENINGS[opening]))
        opened = sessions.open(clones=["github"], **FIELDS)
        if world.kind == "sync":
            with opened as hosted:
                await body(hosted)
        else:
            async with opened as hosted:
                await body(hosted)

    check(caught(call))


def test_progress_that_raises(check, world):
    """A hook of the caller's, behind a door."""

    def on_progress(_session, _seconds):
        raise Foreign("x")

    async def call():
        sessions = world.sessions(RUNNING)
        await value(sessions.wait_until_running("ses-1", on_progress=on_progress))

    check(caught(call))


# --- Refused arguments.

BAD = object()
REFUSED_OPTIONS = {
    "json not encodable": {"json": {"a": S.json, "b": BAD}},
    "json keys": {"json": {(1, 2): S.json}},
    "json surrogate": {"json": f"{S.json}\ud800"},
    "form nested": {"form": {"a": S.form, "b": {"c": {S.form}}}},
    "form surrogate": {"form": {"a": f"{S.form}\ud800"}},
    "form no pairs": {"form": S.form},
    "content of another type": {"content": [S.content]},
    "content surrogate": {"content": f"{S.content}\ud800"},
    "two bodies": {"json": S.json, "content": S.content},
    "params nested": {"params": {"a": [S.params, {"b": S.params}]}},
    "params no pairs": {"params": S.params},
    "header value": {"headers": {"X-Note": f"{S.header}\r\n"}},
    "header type": {"headers": {"X-Note": [S.header]}},
    "header name": {"headers": {f"X-Note: {S.header}": "a"}},
    "header of the route": {"headers": {"x-route-authorization": S.header}},
    "headers no pairs": {"headers": [S.header]},
    "both credentials": {"headers": {"Authorization": S.header}, "token": S.service},
    "token of two lines": {"token": f"{S.service}\n"},
    "token of another type": {"token": [S.service]},
    "token a secret": {"token": Secret(f"{S.service}\x00")},
    "unknown option": {"body": S.argument},
    "timeout": {"timeout": -1, "token": S.service},
    "timeout no number": {"timeout": S.argument},
}


@pytest.mark.parametrize("refused", REFUSED_OPTIONS)
def test_refused_arguments_of_a_call(check, world, refused):
    """By every way in."""
    given = {**options("json"), **REFUSED_OPTIONS[refused]}
    if {"form", "content"} & REFUSED_OPTIONS[refused].keys() and "json" not in REFUSED_OPTIONS[
        refused
    ]:
        del given["json"]
    clone = world.clones(script())["svc"]
    for attack in (
        lambda: Request("POST", PATH, **given),
        lambda: clone.post(PATH, **given),
        lambda: clone.request("POST", PATH, **given),
        lambda: clone.paginate(PATH, type=list[int], **given),
    ):
        error = caught(attack)
        assert isinstance(error, ValueError | TypeError)
        check(error)


def test_refused_paths_and_methods(check):
    for path in (f"/a?q={S.path}#", f"https://x.test/?{S.path}", f"/..?{S.path}", [S.path]):
        check(caught(Request, "POST", path, **options()))
    check(caught(Request, "TRACE", PATH, **options()))


def test_what_is_not_a_request(check, world):
    """Sent, checked and gathered."""
    wrong = {"json": {"password": S.json}}
    clones = world.clones(script())
    for attack in (
        lambda: clones["svc"].send(wrong),
        lambda: clones["svc"].check(wrong),
        lambda: clones.gather([("svc", wrong)]),
        lambda: clones.gather(wrong),
        lambda: clones.gather([("svc", Request("POST", PATH, **options()))], max_concurrency=0),
        lambda: clones.gather([("other", Request("POST", PATH, **options()))]),
    ):
        check(caught(attack))


@pytest.mark.parametrize(
    "given",
    [
        {"token": f"{S.token}\n"},
        {"token": f"Bearer {S.token}"},
        {"token": [S.token]},
        {"route_headers": {"x-route": f"{S.route}\n"}},
        {"route_headers": {"Host": S.route}},
        {"route_headers": S.route},
        {"clone_urls": {"svc": f"https://{S.argument}@h"}, "token": S.token},
        {"clone_urls": S.argument},
        {"api_url": f"http://h/{S.argument}", "token": S.token},
        {"session_id": f"{S.argument}/", "token": S.token},
        {"tokens": S.token},
    ],
)
def test_refused_settings(check, given):
    error = caught(Settings, **given)
    assert isinstance(error, ValueError | TypeError | AttributeError)
    check(error)


ENV = {
    "AGENT_CLONE_URLS": json.dumps({"svc": BASE}),
    "AGENT_ROUTE_HEADERS": json.dumps({"x-route-authorization": S.route}),
    "ARCHAL_TOKEN": S.token,
    "ANYTHING": S.environ,
}
WRONG_ENV = {
    "AGENT_CLONE_URLS": f'{{"svc": "{S.environ}',
    "AGENT_ROUTE_HEADERS": f'["{S.route}"]',
    "ARCHAL_TOKEN": f"{S.token}\n",
    "ARCHAL_TOKEN_SECRET": f"{S.environ} b",
    "ARCHAL_LAMBDA_API_URL": f"http://{S.environ}.test",
    "ARCHAL_SESSION_ID": f"{S.environ}/",
    "ARCHAL_SVC_REST_URL": f"https://{S.environ}@h",
}


@pytest.mark.parametrize("variable", WRONG_ENV)
def test_refused_variables(check, world, variable, monkeypatch):
    """Given, and of the process."""
    env = {**ENV, variable: WRONG_ENV[variable]}
    readers = [Settings.from_env, world.Clones.from_env, world.Client.from_env]
    for read_from in [*readers, lambda env: edge.settings_from_env(env, clones=["svc"])]:
        error = caught(read_from, env)
        assert type(error) is errors.ConfigurationError
        check(error)
    check(caught(edge.settings_from_env, SimpleNamespace(**env), clones=["svc"]))
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    for read_from in readers:
        check(caught(read_from))


def test_a_wrong_option_beside_the_variables(check, world):
    for from_env in (world.Clones.from_env, world.Client.from_env):
        error = caught(from_env, ENV, colour=S.argument)
        assert type(error) is TypeError
        check(error)
        check(caught(from_env, ENV, timeout=-1))
    check(caught(world.Clones.from_env, {"ANYTHING": S.environ}))
    check(caught(edge.settings_from_env, {"AGENT_CLONE_URLS": BAD, "ARCHAL_TOKEN": S.token}))
    check(caught(world.Clones, {"token": S.argument}))


@pytest.mark.parametrize(
    "given",
    [
        {"credential": {"token": S.credential, "b": BAD}},
        {"credential": S.credential},
        {"credential": {"token": f"{S.credential}\ud800"}},
        {"run_config": [S.run_config]},
        {"run_config": {"a": S.run_config, "b": {(1, 2): 3}}},
        {"passport": S.argument},
        {"seeds": {"svc": [S.argument]}},
        {"credential": {"token": S.credential}, "ttl_seconds": 0},
        {"credential": {"token": S.credential}, "idempotency_key": ""},
        {"credential": {"token": S.credential}, "clones": []},
    ],
)
def test_refused_fields_of_a_session(check, world, given):
    sessions = world.sessions()
    given = {"clones": ["svc"]} | given
    for attack in (sessions.create, sessions.open):
        error = caught(attack, **given)
        assert isinstance(error, ValueError | TypeError)
        check(error)


def test_refused_parts_of_a_response(check):
    for attack in (
        lambda: Response(200, json={"a": S.answer, "b": BAD}),
        lambda: Response(200, headers=[(S.answer_header,)]),
        lambda: Response(200, headers=[S.cookie], json={"a": S.answer}),
        lambda: Headers([("a", S.header), (S.header,)]),
        lambda: Headers({"a": S.header}, S.argument),
        lambda: powertools.json_result(200, {"a": S.answer, "b": BAD}),
        lambda: edge.json_response(200, {"a": S.answer, "b": BAD}),
        lambda: edge.json_response(99, {"a": S.answer}),
    ):
        check(caught(attack))


# --- Events, and what Workers hand over.


class Task(msgspec.Struct):
    token: int


def test_events_that_are_refused(check):
    encoded = base64.b64encode(S.event.encode()).decode()
    for attack in (
        lambda: read_event({"token": S.event}, Task),
        lambda: read_event(S.event, Task),
        lambda: read_event({"token": S.event}, "no type"),
        lambda: powertools.read_json({"body": json.dumps({"token": S.event})}, Task),
        lambda: powertools.read_json({"body": S.event}, Task),
        lambda: powertools.read_json({"body": S.event, "isBase64Encoded": True}, Task),
        lambda: powertools.read_json({"body": encoded, "isBase64Encoded": True}, Task),
        lambda: powertools.read_json([S.event], Task),
    ):
        error = caught(attack)
        if not isinstance(error, TypeError):
            assert type(error) is errors.DecodeError
        check(error)


def test_an_event_that_cannot_be_handed_to_a_function(check):
    """The function is a process of its own, and the event goes there as JSON."""
    error = caught(Function("module.handler").invoke, {"token": S.event, "b": BAD})
    assert type(error) is TypeError
    check(error)


class Posted:
    """A Worker's request."""

    async def bytes(self):
        return json.dumps({"token": S.event}).encode()


@pytest.fixture
def worker_modules(monkeypatch):
    """What a Worker has to import; headers are refused."""

    def refuse(_fields):
        raise Foreign("a header is not allowed")

    js = ModuleType("js")
    js.Headers = SimpleNamespace(new=refuse)
    js.Array = SimpleNamespace(from_=lambda items: SimpleNamespace(to_py=lambda: list(items)))
    ffi = ModuleType("pyodide.ffi")
    ffi.to_js = lambda fields: fields
    for name, module in {"js": js, "pyodide.ffi": ffi}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "pyodide", ModuleType("pyodide"))
    monkeypatch.setitem(sys.modules, "workers", ModuleType("workers"))


def test_what_passes_a_worker(check, worker_modules):
    """A body that is refused on its way in, headers on theirs out, and a response that is no response."""

    async def buffer():
        return SimpleNamespace(to_bytes=lambda: S.answer)

    pairs = SimpleNamespace(entries=lambda: [("a", S.answer_header), (S.cookie,)])
    given = SimpleNamespace(
        js_object=SimpleNamespace(status=200, headers=pairs, arrayBuffer=buffer)
    )
    for attack in (
        lambda: edge.read_json(Posted(), Task),
        lambda: edge.to_worker_response(full()),
        lambda: edge.from_worker_response(given),
    ):
        check(caught(attack))


# --- Whose frames are emptied.


def variables(error):
    """The local variables of each frame of an exception, by the function's name."""
    return [
        (frame.f_code.co_name, dict(frame.f_locals))
        for one in reporters.linked(error)
        for frame, _ in traceback.walk_tb(one.__traceback__)
    ]


def test_a_function_of_the_callers_keeps_its_variables(world):
    """A handler, a transport, progress, and what they call: they are the caller's to debug."""

    def fail(*_):
        mine = "kept"
        try:
            json.loads(mine)
        except ValueError:
            raise Foreign from None

    class Own:
        def send(self, request, deadline, timeout):
            fail(request)

        async def asend(self, request, deadline, timeout):
            fail(request)

    def clones(transport, **given):
        return lambda: world.clones(transport, **given)["svc"].get("/")

    for attack in (
        clones(MockTransport(fail)),
        clones(Own()),
        lambda: world.sessions(RUNNING).wait_until_running("ses-1", on_progress=fail),
    ):
        error = caught(attack)
        found = variables(error)
        assert [kept["mine"] for name, kept in found if name == "fail"] == ["kept"] * 2
        assert [kept["s"] for name, kept in found if name == "loads"] == ["kept"]
        assert isinstance(error.__context__, ValueError)
        door = "run" if world.kind == "sync" else "awaited_door"
        assert not any(kept for name, kept in found if name in {"call", "_attempts", "wait"})
        assert any(name == door for name, _ in found)


def test_what_stands_before_the_socket_keeps_nothing(monkeypatch, check):
    """It is handed the bytes that are sent; gevent's socket is written in Python."""

    def send_(_sock, data):
        raise Stop

    foreign = {"__name__": "gevent._socket3"}
    send_ = type(send_)(send_.__code__.replace(co_filename="gevent.py"), foreign | {"Stop": Stop})
    monkeypatch.setattr(socket.socket, "send", send_)
    with FaultServer([hold]) as server:
        error = caught(post(World("sync"), server.origin))
    assert type(error) is Stop
    assert ("send_", {}) in variables(error)
    check(error)


def test_a_call_that_waits_is_not_ended_by_another(world):
    """A transport may raise what it has raised before: its traceback holds the first call, which waits to retry."""
    failure = errors.ConnectError("no connection")

    class Broken:
        calls = 0

        async def asend(self, request, deadline, timeout):
            self.calls += 1
            if self.calls == 1:
                raise failure
            if self.calls == 2:
                raise Foreign from failure
            return Response(200)

        async def aclose(self):
            pass

    async def call():
        policy = RetryPolicy(attempts=2, backoff=0.05)
        clone = World("async").clones(Broken(), retry=policy)["svc"]
        first = asyncio.ensure_future(clone.get("/"))
        await asyncio.sleep(0)
        with pytest.raises(Foreign):
            await clone.get("/")
        return (await asyncio.wait_for(first, 5.0)).status_code

    assert asyncio.run(call()) == 200


def test_a_callers_exceptions_are_left_as_they_are(check):
    """One that was being handled when a door was entered, hidden context and all."""
    settings = {"token": f"{S.token}\n"}

    def attack():
        try:
            try:
                json.loads("{")
            except ValueError:
                raise Foreign from None
        except Foreign:
            Settings(**settings)

    error = caught(attack)
    check(error)
    assert isinstance(error.__context__, Foreign)
    assert isinstance(error.__context__.__context__, ValueError)


# --- What a door is like from outside.


def test_a_door_is_like_the_function_behind_it():
    """Signature, documentation, name, kind; it is pickled by name."""
    assert list(inspect.signature(Request).parameters)[:3] == ["method", "path", "params"]
    assert list(inspect.signature(read_event).parameters) == ["event", "type"]
    assert get_type_hints(read_event)["event"] is object
    assert "type: 'type[T]'" in pydoc.render_doc(read_event, renderer=pydoc.plaintext)
    assert repickled(read_event) is read_event
    assert inspect.iscoroutinefunction(AsyncClones.gather)
    assert not inspect.iscoroutinefunction(Clones.gather)
    assert inspect.getsource(read_event).startswith("@guarded")


def test_a_generator_cannot_be_a_door():
    """Its frame outlives the call, so that nothing would be kept."""

    def pages():
        yield 1

    async def awaited_pages():
        yield 1

    for generator in (pages, awaited_pages):
        with pytest.raises(TypeError, match="generator"):
            guarded(generator)


# --- The proof that all this can fail.


@pytest.mark.parametrize("name", ["sentry", "rollbar", "python", "worst"])
def test_each_reporter_tells_what_no_door_keeps(watch, name):
    """The function behind the door, called past it."""
    event = {"token": S.event}
    error = caught(read_event.__wrapped__, event, Task)
    assert (name, "event") in leaks(watch, error)
    assert leaks(watch, caught(read_event, event, Task)) == set()
