"""No secret is ever shown: not by a repr, a message, a log record or a traceback."""

from __future__ import annotations

import copy
import json
import logging
import traceback

import pytest
from support.fakes import Clock, Context, repickled, script

from archal_lambda import (
    ArchalClient,
    Clones,
    Deadline,
    Headers,
    Request,
    Response,
    RetryPolicy,
    Secret,
    Settings,
    Timeout,
    errors,
)
from archal_lambda.core.url import BaseUrl

BASE = "https://clone.test/github/api"


@pytest.fixture
def env(sentinels):
    return {
        "AGENT_CLONE_URLS": json.dumps({"github": BASE}),
        "AGENT_ROUTE_HEADERS": json.dumps(
            {"x-route-authorization": f"Bearer {sentinels['route']}"}
        ),
        "ARCHAL_TOKEN": sentinels["archal"],
    }


@pytest.fixture
def options(sentinels):
    """The arguments of a call, each with its secret."""
    return {
        "params": {"q": sentinels["query"]},
        "json": {"password": sentinels["body"]},
        "headers": {"X-Note": sentinels["header"]},
        "token": sentinels["service"],
    }


@pytest.fixture
def answer(sentinels):
    """Makes a response that holds secrets wherever one can."""

    def make(status, **fields):
        headers = {
            "Set-Cookie": sentinels["field"],
            "X-Anything": sentinels["field"],
            "Retry-After": "60",
        }
        body = dict.fromkeys(("message", "code", "detail"), sentinels["answer"])
        return Response(status, headers=headers, json=body | fields)

    return make


def shown(value):
    """Every text that can be made of a value."""
    yield from (
        str(value),
        repr(value),
        f"{value}",
        repr([value]),
        repr({"key": value}),
    )
    yield from (repr(copy.copy(value)), repr(copy.deepcopy(value)))
    if isinstance(value, BaseException):
        yield "".join(traceback.format_exception(value))
        yield from (repr(value.args), repr(getattr(value, "__notes__", ())))


@pytest.fixture
def check(sentinels, caplog):
    """Asserts that a value shows no secret, nor does its pickled twin; in the end, that no log record does."""
    caplog.set_level(logging.DEBUG)
    count = 0

    def assert_clean(*values):
        nonlocal count
        for value in values:
            for text in (*shown(value), *shown(repickled(value))):
                count += 1
                for place, secret in sentinels.items():
                    assert secret not in text, f"{place} is shown by {type(value).__name__}"
            logging.getLogger("test").debug(
                "%s %r", value, value, exc_info=isinstance(value, BaseException) and value
            )

    yield assert_clean
    assert count
    for record in caplog.records:
        text = f"{record.getMessage()}{record.exc_text or ''}{caplog.text}"
        assert not [place for place, secret in sentinels.items() if secret in text]


def test_values(check, env, options, answer, sentinels):
    """Settings, secrets, headers, requests and responses."""
    settings = Settings.from_env(env)
    request = Request("POST", f"/user?access_token={sentinels['query']}", **options)
    prepared = request.prepared(BaseUrl(BASE), settings.route_headers)
    headers = Headers(dict.fromkeys(("Authorization", "X-Note", "Cookie"), sentinels["header"]))
    check(settings, Secret(sentinels["archal"]), settings.token, settings.route_headers, headers)
    check(request, prepared, request.headers, prepared.headers, answer(200), answer(200).headers)
    check(Timeout(1), BaseUrl(BASE), RetryPolicy())


def test_clients(env, options, answer, sentinels, caplog):
    """Clones, a clone and the control-plane client, which hold connections and are not pickled."""
    caplog.set_level(logging.DEBUG)
    transport = script(*[answer(200)] * 2)
    clones = Clones.from_env(env, transport=transport)
    client = ArchalClient.from_env(env, transport=transport)
    clones["github"].post("/user", **options)
    capped = clones.with_deadline(Deadline.from_context(Context(Clock())))
    capped["github"].post("/user", **options)
    values = [
        clones,
        capped,
        clones["github"],
        client,
        client.sessions,
        clones._options,
        transport.requests,
        transport,
    ]
    texts = [text for value in values for text in (str(value), repr(value), f"{value}")]
    assert not [
        place for place, secret in sentinels.items() if secret in caplog.text + "".join(texts)
    ]


def test_records(check, env, options, answer):
    """What `on_call` is told, after a response and after a failure."""
    records = []
    transport = script(answer(500), errors.ConnectionLost("gone", sent=True))
    clones = Clones.from_env(env, transport=transport, on_call=records.append)
    clones["github"].post("/user", **options)
    with pytest.raises(errors.ConnectionLost):
        clones["github"].post("/user", **options)
    assert len(records) == 2
    check(*records)


STATUSES = [302, 400, 401, 402, 403, 404, 409, 422, 426, 429, 500, 502, 503]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("envelope", [{}, {"error": "e"}, {"error": {"type": "t"}}])
def test_failures_of_a_clone(check, env, answer, status, envelope):
    """Every status, in the route's envelope and in the service's."""
    response = answer(status, **envelope)
    github = Clones.from_env(env, transport=script(response))["github"]
    with pytest.raises(errors.StatusError) as caught:
        github.get("/user").raise_for_status()
    check(caught.value, caught.value.response)


@pytest.mark.parametrize("status", STATUSES)
def test_failures_of_the_control_plane(check, env, answer, sentinels, status):
    """The same, for each operation."""
    sessions = ArchalClient.from_env(env, transport=script(*[answer(status)] * 3)).sessions
    for operation in (
        lambda: sessions.create(clones=["github"], credential={"token": sentinels["body"]}),
        sessions.list,
        lambda: sessions.delete("ses-1"),
    ):
        with pytest.raises(errors.StatusError) as caught:
            operation()
        check(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        errors.ConnectError("no connection"),
        errors.ConnectionLost("gone", sent=True),
        errors.RequestTimeout("slow", phase="body", sent=True),
        errors.ResponseTooLarge(limit=9, sent=True),
    ],
)
def test_failures_of_the_network(check, env, options, error):
    """Every transport error, raised through a client."""
    github = Clones.from_env(env, transport=script(error, error))["github"]
    with pytest.raises(type(error)) as caught:
        github.post("/user", **options)
    check(caught.value)


def test_no_time_left(check, env, options):
    """The error made before anything is sent names the address without its query."""
    clones = Clones.from_env(env, transport=script()).with_deadline(Deadline.after(0))
    with pytest.raises(errors.RequestTimeout) as caught:
        clones["github"].get("/user", **options)
    check(caught.value)


@pytest.mark.parametrize("type_", [int, list[int], dict[str, int]])
def test_bodies_of_another_shape(check, answer, type_):
    """Nothing of the body is in the error, or behind it."""
    with pytest.raises(errors.DecodeError) as caught:
        answer(200).decode(type_)
    check(caught.value)
    with pytest.raises(errors.DecodeError) as caught:
        Response(200, content=answer(200).content[:-1]).json()
    check(caught.value)


def test_sessions(check, sentinels, answer, env):
    """How a session ended is on the error, not in its message; nor are links in the message of a walk."""
    check(errors.SessionEndedError("ses-1", sentinels["answer"], sentinels["answer"]))
    link = Response(
        200, json=[1], headers={"Link": f'<https://x.test/../a?{sentinels["field"]}>; rel="next"'}
    )
    github = Clones.from_env(env, transport=script(link))["github"]
    with pytest.raises(errors.DecodeError) as caught:
        list(github.paginate("/a", type=list[int]))
    check(caught.value)


VARIABLES = [
    "AGENT_CLONE_URLS",
    "AGENT_ROUTE_HEADERS",
    "ARCHAL_SESSION_ID",
    "ARCHAL_LAMBDA_API_URL",
    "ARCHAL_X_REST_URL",
]
LINES = ["{0}\r\n", "Bearer {0}\n"]
TEXTS = [
    '{{"a b": "{0}"}}',
    '{{"{0}:": 5}}',
    '{{"a": ["{0}"]}}',
    '["{0}"]',
    '{{"a": "{0}',
    "https://{0}@h",
    "{0}#",
]


@pytest.mark.parametrize(
    ("variable", "text"),
    [(variable, text) for variable in VARIABLES for text in LINES + TEXTS]
    + [("ARCHAL_TOKEN", text) for text in LINES],
)
def test_wrong_variables(check, sentinels, variable, text):
    """The error of a variable shows no part of its value."""
    with pytest.raises(errors.ConfigurationError) as caught:
        Settings.from_env({variable: text.format(sentinels["archal"])})
    check(caught.value)


def test_wrong_arguments(check, sentinels):
    """The error of an argument shows none either."""
    secret = sentinels["header"]
    for arguments in (
        {"headers": {"X-Note": f"{secret}\r\n"}},
        {"headers": {f"X-Note: {secret}": "a"}},
        {"headers": {"Host": secret}},
        {"headers": {"Authorization": secret}, "token": secret},
        {"token": f"{secret}\n"},
        {"token": Secret(f"{secret}\x00")},
        {"json": {}, "content": secret},
    ):
        with pytest.raises(ValueError, match=r".") as caught:
            Request("GET", "/", **arguments)
        check(caught.value)
    with pytest.raises(TypeError) as mistyped:
        Request("GET", "/", params={"a": {"b": secret}})
    check(mistyped.value)
    for path in (f"/a?q={secret}#", f"https://x.test/?{secret}", f"/..?{secret}", f"/a?%{secret}"):
        with pytest.raises(ValueError, match=r"^path") as refused:
            Request("GET", path)
        check(refused.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("AGENT_CLONE_URLS", "{"),
        ("ARCHAL_LAMBDA_API_URL", "http://h"),
        ("ARCHAL_TOKEN_SECRET", "a b"),
    ],
)
def test_a_wrong_variable_leaves_no_other_in_its_frames(
    monkeypatch, env, sentinels, variable, text
):
    """A reporter that shows the locals of each frame would show the whole environment, token and all."""
    for name, value in {**env, variable: text}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(errors.ConfigurationError, match=variable) as caught:
        Clones.from_env()
    traced = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    _, *frames = traced.stack  # the first is this test's own
    assert frames
    shown_locals = repr([frame.locals for frame in frames])
    assert not [place for place, secret in sentinels.items() if secret in shown_locals]
