"""The synchronous clients of clones, over a mock transport."""

from __future__ import annotations

import json
import threading

import msgspec
import pytest
from support.blocking import as_async
from support.fakes import Clock, Context, script

from archal_lambda import (
    AsyncClones,
    Clones,
    Deadline,
    Request,
    Response,
    RetryPolicy,
    Secret,
    Settings,
    Timeout,
    errors,
)
from archal_lambda.transports.mock import MockTransport

URLS = {"github": "https://clone.test/github/api", "slack": "https://clone.test/slack/api"}


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, Clones=AsyncClones):
        yield request.param


class Issue(msgspec.Struct):
    number: int


def make(*outcomes, urls=URLS, **options):
    """Make clones over a transport that plays `outcomes`, or responds with 200 to everything."""
    transport = script(*outcomes) if outcomes else MockTransport(lambda _request: Response(200))
    clones = Clones(Settings(clone_urls=urls, token="route-token"), transport=transport, **options)
    return clones, transport


def test_every_call_carries_the_route():
    """It goes to the clone's own base, beside the service credential."""
    clones, transport = make()
    clones["github"].post("/user/repos", json={"name": "x"}, token="service", params={"a": 1})
    (sent,) = transport.requests
    assert (sent.method, sent.url) == ("POST", "https://clone.test/github/api/user/repos")
    assert sent.target == "/github/api/user/repos?a=1"
    assert sent.headers["x-route-authorization"] == "Bearer route-token"
    assert sent.headers["authorization"] == "Bearer service"
    assert sent.headers.pairs[0][0] == "x-route-authorization"
    assert json.loads(sent.content) == {"name": "x"}


def test_route_headers_of_the_settings_are_sent_as_given():
    """All of them are sent, instead of one made of the token."""
    settings = Settings(
        clone_urls=URLS, token="t", route_headers={"X-Route-A": "1", "x-archal-b": "2"}
    )
    transport = script(200)
    Clones(settings, transport=transport)["github"].get("/")
    headers = transport.requests[0].headers
    assert (headers["x-route-a"], headers["x-archal-b"]) == ("1", "2")
    assert "x-route-authorization" not in headers


@pytest.mark.parametrize("verb", ["get", "head", "post", "put", "patch", "delete"])
def test_each_verb_sends_its_method(verb):
    """All take the same arguments."""
    clones, transport = make()
    response = getattr(clones["github"], verb)("/a", headers={"X-Note": "n"}, token=Secret("s"))
    assert response.status_code == 200
    (sent,) = transport.requests
    assert (sent.method, sent.path) == (verb.upper(), "/a")
    assert (sent.headers["x-note"], sent.headers["authorization"]) == ("n", "Bearer s")


def test_request_takes_any_method_and_send_a_ready_request():
    clones, transport = make()
    clones["github"].request("options", "/a", form={"b": "c"})
    clones["slack"].send(Request("POST", "/d", content="e"))
    assert [(sent.method, sent.url, sent.content) for sent in transport.requests] == [
        ("OPTIONS", "https://clone.test/github/api/a", b"b=c"),
        ("POST", "https://clone.test/slack/api/d", b"e"),
    ]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("https://evil.test/", {}),
        ("//evil.test/", {}),
        ("/../slack/api", {}),
        ("/%2e%2e/slack/api", {}),
        ("/a#b", {}),
        ("/a", {"headers": {"x-route-authorization": "Bearer mine"}}),
        ("/a", {"headers": {"X-Archal-Anything": "x"}}),
        ("/a", {"headers": {"Host": "evil.test"}}),
        ("/a", {"headers": {"A": "b\r\nC: d"}}),
        ("/a", {"headers": {"Authorization": "Bot x"}, "token": "t"}),
        ("/a", {"token": ""}),
        ("/a", {"json": {}, "content": b""}),
        ("/a", {"timeout": 0}),
    ],
)
def test_a_wrong_call_sends_nothing(path, options):
    """It is a ValueError before any I/O."""
    clones, transport = make()
    with pytest.raises(ValueError, match=r"."):
        clones["github"].get(path, **options)
    assert transport.requests == []


def test_a_header_of_the_settings_cannot_be_overridden():
    """Its spelling does not matter. Nothing is sent."""
    settings = Settings(clone_urls=URLS, route_headers={"Authorization": "Bearer r"})
    transport = script()
    github = Clones(settings, transport=transport)["github"]
    for options in ({"token": "t"}, {"headers": {"authorization": "x"}}):
        with pytest.raises(ValueError, match="cannot be overridden"):
            github.get("/a", **options)
    with pytest.raises(ValueError, match="cannot be overridden"):
        github.check(Request("GET", "/a", token="t"))
    assert transport.requests == []


@pytest.mark.parametrize("name", ["jira", "", "GitHub", "../slack"])
def test_an_unknown_clone_is_an_error_that_lists_the_known_ones(name):
    clones, _ = make()
    with pytest.raises(errors.UnknownCloneError, match="known clones: github, slack") as caught:
        clones[name]
    assert caught.value.known == ("github", "slack")
    assert name not in clones
    assert isinstance(caught.value, LookupError)


def test_clones_are_a_collection_of_the_names_that_are_set():
    clones, _ = make()
    assert (list(clones), len(clones)) == (["github", "slack"], 2)
    assert "github" in clones
    assert 5 not in clones
    assert repr(clones) == "<Clones github, slack>"
    assert repr(clones["github"]) == "<Clone github at https://clone.test/github/api>"
    assert (clones["github"].name, clones["github"].base_url) == ("github", URLS["github"])


@pytest.mark.parametrize(
    ("session", "runtime", "url"),
    [
        ("ses-01HX", None, "https://ses-01hx.clones.archal.ai/google-calendar/api/a"),
        ("env_1", None, "https://api.archal.ai/runtime/env_1/google-calendar/api/a"),
        (
            "ses-1",
            "http://127.0.0.1:4010",
            "http://127.0.0.1:4010/runtime/ses-1/google-calendar/api/a",
        ),
    ],
)
def test_addresses_are_composed_from_the_session_id(session, runtime, url):
    """Without any clone URL, every plain name is a clone."""
    transport = script(200)
    settings = Settings(session_id=session, runtime_url=runtime, token="t")
    clones = Clones(settings, transport=transport)
    clones["google-calendar"].get("/a")
    assert transport.requests[0].url == url
    assert (list(clones), len(clones), repr(clones)) == ([], 0, "<Clones of a session>")
    assert "google-calendar" in clones
    assert "no/name" not in clones


def test_from_env_makes_clients_without_io():
    """It takes the options of the constructor."""
    transport = script(200)
    env = {"AGENT_CLONE_URLS": json.dumps(URLS), "ARCHAL_TOKEN": "t"}
    clones = Clones.from_env(env, transport=transport, timeout=5)
    assert clones["slack"].get("/").is_success
    assert isinstance(Clones.from_env(env)["github"].name, str)


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        ({}, "AGENT_CLONE_URLS"),
        ({"ARCHAL_TOKEN": "t"}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": json.dumps(URLS)}, "AGENT_ROUTE_HEADERS"),
        ({"ARCHAL_SESSION_ID": "s"}, "AGENT_ROUTE_HEADERS"),
    ],
)
def test_from_env_reports_a_missing_variable_at_once(env, variable):
    """The error does not wait for the first call."""
    with pytest.raises(errors.ConfigurationError) as caught:
        Clones.from_env(env)
    assert caught.value.variable == variable


@pytest.mark.parametrize("timeout", [0, None, True, float("inf")])
def test_a_bad_timeout_is_refused(timeout):
    with pytest.raises(ValueError, match="timeout total"):
        make(timeout=timeout)


def test_a_clones_failure_is_returned():
    """4xx and 5xx are responses, and the request is sent once."""
    for status in (401, 404, 429, 500, 503):
        clones, transport = make(status)
        assert clones["github"].get("/").status_code == status
        assert len(transport.requests) == 1


def test_a_lost_connection_is_tried_again_once():
    """This holds for GET. A POST that was sent is not repeated, unless `retry` says so."""
    lost = lambda: errors.ConnectionLost("gone", sent=True)  # noqa: E731
    clones, transport = make(lost(), 200)
    assert clones["github"].get("/").attempts == 2
    clones, transport = make(lost())
    with pytest.raises(errors.ConnectionLost):
        clones["github"].post("/")
    assert len(transport.requests) == 1
    clones, transport = make(lost(), retry=RetryPolicy(attempts=1))
    with pytest.raises(errors.ConnectionLost):
        clones["github"].get("/")


class Watching(MockTransport):
    """Keeps the seconds left and the limits of each attempt."""

    def __init__(self, clock=None):
        super().__init__(lambda _request: Response(200))
        self.seen = []

    def send(self, request, deadline, timeout):
        self.seen.append((round(deadline.remaining(), 1), timeout))
        return super().send(request, deadline, timeout)


def watched(**options):
    transport = Watching()
    settings = Settings(clone_urls=URLS, token="t")
    return Clones(settings, transport=transport, **options), transport.seen


def test_a_calls_limits_come_before_the_clients():
    """By default a call has 15 seconds, 3 of them to connect."""
    clones, seen = watched()
    clones["github"].get("/")
    clones["github"].get("/", timeout=5)
    clones["github"].get("/", timeout=Timeout(6, connect=1, read=2))
    watched_clones, more = watched(timeout=Timeout(8, read=4))
    watched_clones["github"].get("/")
    assert seen == [(15.0, Timeout(15)), (5.0, Timeout(5)), (6.0, Timeout(6, connect=1, read=2))]
    assert more == [(8.0, Timeout(8, read=4))]


def test_a_deadline_caps_every_call(clock):
    """It may be set for all clones or for one. The earliest holds, and the original is unchanged."""
    clones, seen = watched()
    capped = clones.with_deadline(Deadline.from_context(Context(clock, 11), clock=clock))
    capped["github"].get("/")
    capped["github"].get("/", timeout=3)
    clock.now += 4
    capped["slack"].get("/")
    capped["slack"].with_deadline(Deadline.after(2, clock=clock)).get("/")
    capped["slack"].with_deadline(Deadline.after(99, clock=clock)).get("/")
    capped.with_deadline(Deadline.after(1, clock=clock))["slack"].get("/")
    clones["github"].get("/")
    assert [left for left, _ in seen] == [10.0, 3.0, 6.0, 2.0, 6.0, 1.0, 15.0]
    assert type(capped) is type(clones)


def test_nothing_is_sent_with_no_time_left(clock):
    clones, seen = watched()
    late = clones.with_deadline(Deadline.from_context(Context(clock, 0.9), clock=clock))
    with pytest.raises(errors.RequestTimeout, match="no time was left") as caught:
        late["github"].get("/a?q=1")
    assert (caught.value.sent, caught.value.attempts) == (False, 0)
    assert caught.value.url == "https://clone.test/github/api/a"
    assert seen == []


def test_gather_keeps_order():
    """Each outcome is in the place of its call, errors too."""

    def answer(request):
        if request.path == "/lost":
            raise errors.ConnectionLost("gone", sent=True)
        return Response(int(request.path[1:]))

    clones = Clones(Settings(clone_urls=URLS, token="t"), transport=MockTransport(answer))
    calls = [("github", Request("GET", f"/{status}")) for status in range(200, 230)]
    calls[7] = ("slack", Request("POST", "/lost"))
    results = clones.gather(iter(calls))
    assert isinstance(results[7], errors.ConnectionLost)
    assert [result.status_code for result in results[:7] + results[8:]] == [
        *range(200, 207),
        *range(208, 230),
    ]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)  # test_aio.py has the test for tasks
def test_gather_runs_side_by_side():
    """As many calls run at once as are allowed. No thread is left."""
    together = threading.Barrier(3, timeout=5)

    def answer(_request):
        together.wait()
        return Response(200)

    clones = Clones(Settings(clone_urls=URLS, token="t"), transport=MockTransport(answer))
    results = clones.gather([("github", Request("GET", "/"))] * 6, max_concurrency=3)
    assert [result.status_code for result in results] == [200] * 6
    assert not [thread for thread in threading.enumerate() if "gather" in thread.name]


def test_gather_of_no_calls_gives_an_empty_list():
    clones, _ = make()
    assert clones.gather([]) == []


@pytest.mark.parametrize(
    ("call", "options", "error"),
    [
        (("jira", Request("GET", "/")), {}, errors.UnknownCloneError),
        (("github", Request("GET", "/", headers={"X-Team": "mine"})), {}, ValueError),
        (("github", "/user"), {}, TypeError),
        (("github", Request("GET", "/")), {"max_concurrency": 0}, ValueError),
        (("github", Request("GET", "/")), {"timeout": 0}, ValueError),
        (("github", Request("GET", "/")), {"timeout": float("nan")}, ValueError),
    ],
)
def test_gather_finds_mistakes_first(call, options, error):
    """Nothing is sent if one call or argument is wrong."""
    transport = script()
    settings = Settings(clone_urls=URLS, route_headers={"x-route-a": "1", "X-Team": "theirs"})
    clones = Clones(settings, transport=transport)
    with pytest.raises(error):
        clones.gather([("github", Request("GET", "/")), call], **options)
    assert transport.requests == []


def test_gather_has_one_deadline(clock):
    """It is its own, the client's total, or the one of `with_deadline`. A call's own limit applies as well."""
    clones, seen = watched(timeout=8)
    call, short = ("github", Request("GET", "/")), ("github", Request("GET", "/", timeout=1))
    clones.gather([call])
    clones.gather([call, short], timeout=4, max_concurrency=1)
    clones.with_deadline(Deadline.after(2, clock=clock)).gather([call], timeout=4)
    assert [left for left, _ in seen] == [8.0, 4.0, 1.0, 2.0]


def test_gather_puts_a_timeout_in_place_of_what_was_not_sent():
    clock = Clock()

    def answer(_request):
        clock.now += 2
        return Response(200)

    clones = Clones(Settings(clone_urls=URLS, token="t"), transport=MockTransport(answer))
    capped = clones.with_deadline(Deadline.after(3, clock=clock))
    results = capped.gather([("github", Request("GET", "/"))] * 4, max_concurrency=1)
    assert [type(result) for result in results] == [Response] * 2 + [errors.RequestTimeout] * 2
    assert [result.attempts for result in results] == [1, 1, 0, 0]


def test_an_unexpected_error_ends_gather():
    """A bug of a transport is not an outcome."""
    clones, _ = make(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        clones.gather([("github", Request("GET", "/"))])


def page(numbers, link=None):
    headers = {} if link is None else {"Link": f'<{link}>; rel="next"'}
    return Response(200, json=[{"number": number} for number in numbers], headers=headers)


def test_paginate_follows_links():
    """It gives typed items. Params go with the first page only, headers and token with all."""
    clones, transport = make(
        page([1, 2], "https://clone.test/github/api/issues?per_page=2&page=2"),
        page([3], "https://evil.test/github/api/issues?page=3"),
        page([4]),
    )
    issues = clones["github"].paginate(
        "/issues", type=list[Issue], params={"per_page": 2}, token="s", headers={"X-Note": "n"}
    )
    assert transport.requests == []
    assert list(issues) == [Issue(1), Issue(2), Issue(3), Issue(4)]
    assert [f"{sent.base.origin}{sent.target}" for sent in transport.requests] == [
        "https://clone.test/github/api/issues?per_page=2",
        "https://clone.test/github/api/issues?per_page=2&page=2",
        "https://clone.test/github/api/issues?page=3",
    ]
    assert {sent.headers["authorization"] for sent in transport.requests} == {"Bearer s"}
    assert {sent.headers["x-note"] for sent in transport.requests} == {"n"}
    assert {sent.headers["x-route-authorization"] for sent in transport.requests} == {
        "Bearer route-token"
    }


def test_paginate_fetches_a_page_when_its_first_item_is_needed():
    clones, transport = make(page([1, 2], "/issues?page=2"), page([3]))
    issues = clones["github"].paginate("/issues", type=list[Issue])
    assert [next(issues), next(issues)] == [Issue(1), Issue(2)]
    assert len(transport.requests) == 1
    assert next(issues) == Issue(3)


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (Response(404, json={"message": "Not Found", "documentation_url": "u"}), errors.NotFoundError),
        (Response(401, json={"error": "unauthorized", "message": "m"}), errors.RouteRejectedError),
        (Response(200, json={"message": "no list"}), errors.DecodeError),
        (Response(200, json=[{"number": "x"}]), errors.DecodeError),
        (page([2], "/issues"), errors.DecodeError),
        (page([2], "/issues?page=2"), errors.DecodeError),
        (page([2], "/../slack/%2e%2e"), errors.DecodeError),
        (errors.RequestTimeout("slow", phase="body", sent=True), errors.RequestTimeout),
    ],
)  # fmt: skip
def test_paginate_stops_at_a_bad_page(second, error):
    """The items of earlier pages come first, then the page's error. A loop counts as a bad page."""
    clones, _ = make(page([1], "/issues?page=2"), second, retry=RetryPolicy(attempts=1))
    issues = clones["github"].paginate("/issues", type=list[Issue])
    assert next(issues) == Issue(1)
    with pytest.raises(error):
        next(issues)


def test_paginate_refuses_a_wrong_call_at_once():
    """It does not wait for the first `next`."""
    clones, transport = make()
    with pytest.raises(ValueError, match="absolute URL"):
        clones["github"].paginate("https://evil.test/", type=list[Issue])
    assert transport.requests == []


def test_calls_are_recorded(clock):
    """A record has the clone, method, path without query, outcome, and time left under the deadline."""
    records = []
    clones, _ = make(503, errors.ConnectionLost("gone", sent=True), 201, on_call=records.append)
    clones["github"].get("/a?q=1", params={"r": 2})
    with pytest.raises(errors.ConnectionLost):
        clones["slack"].post("/b")
    clones.with_deadline(Deadline.after(7, clock=clock))["slack"].put("/c")
    facts = [
        (r.clone, r.method, r.path, r.status_code, r.error, r.sent, r.attempts, r.time_left)
        for r in records
    ]
    assert facts == [
        ("github", "GET", "/a", 503, None, True, 1, None),
        ("slack", "POST", "/b", None, "ConnectionLost", True, 1, None),
        ("slack", "PUT", "/c", 201, None, True, 1, 7),
    ]
    assert all(0 <= record.elapsed < 5 for record in records)


def test_a_call_that_was_never_sent_is_recorded(clock):
    """It is an error of no attempt. A refused argument is not a call."""
    records = []
    clones, _ = make(on_call=records.append)
    with pytest.raises(errors.RequestTimeout):
        clones.with_deadline(Deadline.after(0, clock=clock))["github"].get("/a")
    with pytest.raises(ValueError, match="relative"):
        clones["github"].get("//a")
    assert [(r.error, r.sent, r.attempts, r.time_left) for r in records] == [
        ("RequestTimeout", False, 0, 0)
    ]


def test_closing_the_clones_closes_the_transport():
    """They close as a context manager or by hand."""
    closed = []

    class Closing(MockTransport):
        def close(self):
            closed.append(self)

    transport = Closing(lambda _request: Response(200))
    with Clones(Settings(clone_urls=URLS, token="t"), transport=transport) as clones:
        assert clones["github"].get("/").is_success
    clones.close()
    assert closed == [transport, transport]


def test_a_mocked_response_knows_its_request():
    """Its errors then read as they do over a network."""
    clones, transport = make(Response(404, headers={"A": "b"}, content=b"x"))
    response = clones["github"].get("/a?q=1")
    assert (dict(response.headers), response.content) == ({"a": "b"}, b"x")
    with pytest.raises(
        errors.NotFoundError, match=r"^GET https://clone.test/github/api/a: status 404$"
    ):
        response.raise_for_status()
    assert transport.close() is None
