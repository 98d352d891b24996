"""LocalArchal itself: starting, stopping, what it shows and what it never shows."""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import sys
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from support.standin import GITHUB_TOKEN, Control, route, send

from archal_lambda import Clones
from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal, RecordedHeaders
from archal_lambda.local.server import thread as thread_module
from archal_lambda.local.server.records import RequestLog


def names():
    return [thread.name for thread in threading.enumerate()]


def test_the_environment_leads_to_a_running_session():
    """`environ` has what a program needs, as strings; the urls are loopback."""
    with LocalArchal(clones=["github"]) as archal:
        environ = archal.environ
        assert all(isinstance(value, str) for value in environ.values())
        assert set(environ) == {
            "ARCHAL_SESSION_ID",
            "AGENT_CLONE_URLS",
            "AGENT_ROUTE_HEADERS",
            "ARCHAL_TOKEN",
            "ARCHAL_LAMBDA_API_URL",
            "ARCHAL_LAMBDA_RUNTIME_URL",
        }
        assert environ["ARCHAL_SESSION_ID"] == archal.session_id
        assert environ["ARCHAL_LAMBDA_API_URL"] == archal.api_url
        assert environ["ARCHAL_LAMBDA_RUNTIME_URL"] == archal.runtime_url
        assert archal.api_url.startswith("http://127.0.0.1:")
        urls = json.loads(environ["AGENT_CLONE_URLS"])
        assert urls == {"github": archal.base_url("github")}
        headers = json.loads(environ["AGENT_ROUTE_HEADERS"])
        headers["Authorization"] = f"Bearer {GITHUB_TOKEN}"
        assert send(urls["github"] + "/user", headers=headers).status == 200


def test_users_clones_are_part_of_the_ready_session(archal):
    """`extra_clones` need not be named twice."""
    assert set(json.loads(archal.environ["AGENT_CLONE_URLS"])) == {"github", "echo"}
    assert archal.base_url("echo").endswith("/echo/api")


def test_a_users_clone_may_stand_in_for_the_built_in_one():
    """The factory is given the public base URL, and the clone sees the service's host."""

    def factory(base):
        async def app(scope, _receive, send_message):
            host = dict(scope["headers"])[b"host"].decode()
            body = json.dumps([base, host, scope["scheme"]]).encode()
            await send_message({"type": "http.response.start", "status": 200, "headers": []})
            await send_message({"type": "http.response.body", "body": body})

        return app

    with LocalArchal(clones=["slack"], extra_clones={"slack": factory}) as archal:
        headers = {"x-route-authorization": f"Bearer {archal.token}"}
        answer = send(archal.base_url("slack") + "/x", headers=headers)
        assert answer.json == [archal.base_url("slack"), "slack.com", "https"]


def test_stopping_leaves_nothing_behind():
    """No thread, no open port; both ends are idempotent, and it can start again."""
    before = names()
    archal = LocalArchal()
    assert archal.start() is archal.start()
    first = archal.session_id
    with closing(HTTPConnection(urlsplit(archal.api_url).netloc, timeout=5)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        started = time.monotonic()
        archal.stop()
        archal.stop()
        assert time.monotonic() - started < 1
    assert names() == before
    with pytest.raises(ConnectionRefusedError):
        send(archal.api_url + "/")
    with archal:
        assert archal.session_id != first
        assert names() != before
    assert names() == before


def test_before_the_start_there_are_no_urls():
    """The error says what to do."""
    archal = LocalArchal()
    for name in ("api_url", "runtime_url", "session_id", "environ"):
        with pytest.raises(RuntimeError, match="context manager"):
            getattr(archal, name)
    assert archal.requests == ()


def test_an_occupied_port_is_an_error_at_once():
    """The message names the port, and no thread is left."""
    before = names()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: Address already in use"):
            LocalArchal(port=port).start()
    assert names() == before
    with LocalArchal(port=port) as archal:
        assert archal.api_url == f"http://127.0.0.1:{port}"


def test_a_server_that_fails_is_an_error(monkeypatch):
    """The reason is chained, and the socket is closed."""

    def fail(_self, sockets):
        raise SystemExit(f"{len(sockets)} socket")

    monkeypatch.setattr(thread_module.uvicorn.Server, "run", fail)
    with pytest.raises(RuntimeError, match="did not start") as caught:
        LocalArchal().start()
    assert isinstance(caught.value.__cause__, SystemExit)


def test_a_clone_that_never_answers_does_not_hold_the_end_up():
    """Waiting requests are cut off after a second."""
    before = names()

    async def waiting(_scope, _receive, _send):
        await asyncio.Event().wait()

    archal = LocalArchal(extra_clones={"waiting": lambda _base: waiting}).start()
    url = f"{archal.base_url('waiting')}/"
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=5)) as connection:
        headers = {"x-route-authorization": f"Bearer {archal.token}"}
        connection.request("GET", urlsplit(url).path, headers=headers)
        while not archal._thread._server.server_state.tasks:
            time.sleep(0.01)
        started = time.monotonic()
        archal.stop()
    assert time.monotonic() - started < 3
    assert names() == before


def test_a_failing_clock_fails_the_start():
    """Nothing is left open, so that it can be tried again."""

    def clock():
        raise LookupError("no time")

    archal = LocalArchal(clock=clock)
    with pytest.raises(LookupError):
        archal.start()
    assert "stopped" in repr(archal)


def test_a_blocked_thread_is_reported_and_left(monkeypatch):
    """A clone that never yields cannot be stopped, but does not hang the caller."""
    monkeypatch.setattr(thread_module, "STOP_TIMEOUT", 0.2)
    release = threading.Event()

    async def blocking(_scope, _receive, _send):
        release.wait(10)

    archal = LocalArchal(extra_clones={"stuck": lambda _base: blocking}).start()
    headers = {"x-route-authorization": f"Bearer {archal.token}"}
    url = archal.base_url("stuck") + "/"
    caller = threading.Thread(target=send, args=(url,), kwargs={"headers": headers})
    caller.start()
    while not archal._thread._server.server_state.tasks:
        time.sleep(0.01)
    thread = archal._thread._thread
    with pytest.raises(RuntimeError, match="blocks its thread"):
        archal.stop()
    release.set()
    caller.join()
    thread.join()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clones": ["slak"]}, "clones names the unknown clone 'slak'; available here: github"),
        ({"extra_clones": {"a/b": print}}, "clones include 'a/b': an id has lower-case letters"),
        ({"port": -1}, "port must be between"),
        ({"port": 65536}, "port must be between"),
        ({"startup_delay": -1.0}, "startup_delay must be"),
        ({"startup_delay": float("nan")}, "startup_delay must be"),
        ({"startup_delay": float("inf")}, "startup_delay must be"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    """They are refused before anything is started."""
    with pytest.raises(ConfigurationError) as caught:
        LocalArchal(**arguments)
    assert message in str(caught.value)


def test_an_unknown_clone_has_no_base_url(archal):
    """The error lists those there are."""
    with pytest.raises(ConfigurationError, match="available here: echo, github"):
        archal.base_url("slack")


def test_records_show_the_order_of_things_without_secrets(archal):
    """Every sensitive value is gone, wherever it stood; the rest is as it was sent."""
    secrets = [archal.token, archal.other_token, GITHUB_TOKEN, "s3cr3t"]
    echoing = route(archal, "echo")
    query = f"a=1&access_token=s3cr3t&%74oken=s3cr3t&plain={archal.token}&b&key"
    headers = [
        ("x-route-authorization", f"Bearer {archal.token}"),
        ("Authorization", f"Bearer {GITHUB_TOKEN}"),
        ("X-Route-Anything", "s3cr3t"),
        ("X-Archal-Anything", "s3cr3t"),
        ("X-Api-Key", "s3cr3t"),
        ("Cookie", "s3cr3t"),
        ("X-Hub-Signature-256", "s3cr3t"),
        ("X-Note", archal.token),
        ("Accept", "a"),
        ("Accept", "b"),
    ]
    count = len(archal.requests)
    send(f"{echoing.base}/x/{archal.other_token}?{query}", "PUT", headers=headers, body=b"s3cr3t")
    (record,) = archal.requests[count:]
    assert not any(secret in repr(archal.requests) for secret in secrets)
    assert (record.method, record.clone, record.status) == ("PUT", "echo", 200)
    assert record.path.endswith("/echo/api/x/[redacted]")
    assert record.query == ("a=1&access_token=[redacted]&%74oken=[redacted]&plain=[redacted]&b&key")
    assert record.session_id == echoing.base.split("/")[4]
    assert 0 < record.duration_ms < 5000
    assert record.received_headers.get("x-note") == "[redacted]"
    assert [value for name, value in record.received_headers if name == "accept"] == ["a", "b"]
    assert "x-route-authorization" in record.received_headers
    saw = record.clone_saw
    assert (saw.method, saw.path, saw.query) == ("PUT", "/x/[redacted]", record.query)
    assert "authorization" in saw.headers
    assert "Authorization" in saw.headers
    assert "x-route-authorization" not in saw.headers
    assert "x-archal-anything" not in saw.headers
    assert saw.headers.get("host") == "echo.localhost"


def test_control_plane_calls_are_recorded_too(archal, control):
    """They have no clone."""
    control("GET", "/api/clones")
    record = archal.requests[-1]
    assert (record.path, record.status) == ("/api/clones", 200)
    assert (record.session_id, record.clone, record.clone_saw) == (None, None, None)


def test_recorded_headers_are_pairs_and_a_lookup():
    """Both readings work."""
    headers = RecordedHeaders([("accept", "a"), ("accept", "b")])
    assert dict(headers) == {"accept": "b"}
    assert ("accept", "a") in headers
    assert "ACCEPT" in headers
    assert headers.get("Accept") == "a"
    assert (headers.get("x"), headers.get("x", "y")) == (None, "y")


def test_the_log_is_bounded():
    """The last 1,000 records are kept."""
    log = RequestLog()
    for number in range(1001):
        log.append(number)
    assert log.snapshot() == tuple(range(1, 1001))


def test_the_repr_has_urls_and_no_token(archal):
    """It says whether the server runs."""
    assert archal.api_url in repr(archal)
    assert archal.token not in repr(archal)
    assert repr(LocalArchal()) == "<LocalArchal stopped, clones: github>"


def test_a_watcher_sees_each_record_before_the_caller_sees_the_answer(caplog):
    """A watcher that fails is logged and changes nothing."""
    seen = []

    def watch(record):
        seen.append(record)
        if record.path == "/bad":
            raise ValueError("my own")

    with LocalArchal(on_request=watch) as archal:
        for path in ("/bad", "/good"):
            assert send(archal.api_url + path).status == 404
            assert seen[-1].path == path
        assert archal.requests == tuple(seen)
    assert "on_request failed" in caplog.text


def test_a_caller_that_leaves_is_recorded(archal):
    """The status is nginx's 499."""
    parts = urlsplit(archal.api_url)
    count = len(archal.requests)
    with socket.create_connection((parts.hostname, parts.port)) as sock:
        sock.sendall(b"POST /left HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        time.sleep(0.05)
    deadline = time.monotonic() + 5
    while len(archal.requests) == count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (archal.requests[-1].path, archal.requests[-1].status) == ("/left", 499)


@pytest.mark.parametrize(
    "line", [b"GET /\x00 HTTP/1.1", b"GET /\xff HTTP/1.1", b"OPTIONS * HTTP/1.1"]
)
def test_what_is_no_request_line_is_no_crash(archal, line, capfd):
    """The response is a 4xx, and nothing is printed."""
    parts = urlsplit(archal.api_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as sock:
        sock.sendall(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert sock.recv(12).startswith(b"HTTP/1.1 40")
    assert capfd.readouterr() == ("", "")


def test_a_post_on_a_kept_connection_is_quick(github):
    """Without TCP_NODELAY each would take 40 ms; the bound is generous for slow machines."""
    parts = urlsplit(github.base)
    connection = HTTPConnection(parts.netloc, timeout=5)
    headers = {
        "x-route-authorization": f"Bearer {github.token}",
        "Authorization": f"Bearer {GITHUB_TOKEN}",
    }
    durations = []
    for number in range(20):
        started = time.perf_counter()
        body = json.dumps({"name": f"r{number}"})
        connection.request("POST", f"{parts.path}/user/repos", body=body, headers=headers)
        assert connection.getresponse().read()
        durations.append(time.perf_counter() - started)
    connection.close()
    assert sorted(durations)[10] < 0.02


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("uvicorn", "pip install 'archal-lambda[local]'"),
        ("archal_lambda.local.server.app", "halted"),
    ],
)
def test_without_the_extra_the_import_says_what_to_install(monkeypatch, missing, expected):
    """Other missing modules are not explained away."""
    for name in ("", ".server.archal", ".server.thread", ".server.wiring"):
        monkeypatch.delitem(sys.modules, f"archal_lambda.local{name}")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError) as caught:
        importlib.import_module("archal_lambda.local")
    assert caught.value.name == missing
    assert expected in str(caught.value)


def test_elsewhere_than_on_posix_ports_are_not_shared(monkeypatch):
    """On Windows SO_REUSEADDR would let two servers have one port."""
    monkeypatch.setattr(thread_module, "os", SimpleNamespace(name="nt"))
    with thread_module.listen(0) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0


def test_the_other_user_has_a_token_of_his_own(archal):
    """It is valid, and its user has no sessions."""
    assert archal.other_token != archal.token
    other = Control(archal.api_url, archal.other_token)
    assert other("GET", "/auth/me").status == 200


def test_requests_can_be_forgotten():
    """What comes later is recorded as before."""
    with LocalArchal() as archal, Clones.from_env(archal.environ) as clones:
        clones["github"].get("/user", token="t")
        archal.requests_clear()
        assert archal.requests == ()
        clones["github"].get("/user/repos", token="t")
        assert [one.clone_saw.path for one in archal.requests] == ["/user/repos"]
