"""The runtime proxy: the order of its checks, and what passes through it."""

from __future__ import annotations

import dataclasses
import logging
import socket
from http.client import HTTPException
from urllib.parse import urlsplit

import pytest
from support.standin import GITHUB_TOKEN, Control, route, send

from archal_lambda.local import LocalArchal
from archal_lambda.local.server.headers import for_caller, for_clone, public_reference

BASE = "http://127.0.0.1:1/runtime/s/c/api"


def bearer(token):
    return {"x-route-authorization": f"Bearer {token}"}


def refused(answer, status, code):
    assert answer.status == status, answer.body
    assert answer.json["code"] == code
    assert set(answer.json) == {"error", "code", "message"}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("x-route-authorization", "")],
        [("x-route-authorization", "Bearer ")],
        [("x-route-authorization", "Bearer wrong")],
        [("x-route-authorization", "{token}")],
        [("x-route-authorization", "Basic {token}")],
        [("x-route-authorization", "Bearer {token}"), ("X-Route-Authorization", "Bearer {token}")],
        [("Authorization", "Bearer {token}")],
    ],
)
@pytest.mark.parametrize("session", ["{known}", "ses-none", "%2e%2e"])
def test_the_route_token_is_checked_first(archal, session, headers):
    """A bad token is 401 even for a session that does not exist, and the clone never sees it."""
    path = f"/runtime/{session.format(known=archal.session_id)}/github/api/user"
    filled = [(name, value.format(token=archal.token)) for name, value in headers]
    answer = send(archal.runtime_url + path, "POST", body=b"{}", headers=filled)
    refused(answer, 401, "unauthorized")
    assert archal.requests[-1].clone_saw is None


@pytest.mark.parametrize(
    ("path", "own", "other"),
    [
        ("{known}/github/api/user", (401, None), (403, "forbidden")),
        ("{known}/slack/api/x", (404, "clone_not_found"), (403, "forbidden")),
        ("{known}/github/graphql", (404, "not_found"), (403, "forbidden")),
        ("{known}/echo/mcp", (404, "not_found"), (403, "forbidden")),
        ("{known}/github", (404, "not_found"), (403, "forbidden")),
        ("{known}", (404, "clone_not_found"), (403, "forbidden")),
        ("ses-none/github/api/user", (404, "session_not_found"), (404, "session_not_found")),
        ("", (404, "session_not_found"), (404, "session_not_found")),
        ("//github/api", (404, "session_not_found"), (404, "session_not_found")),
        ("%00/%ff/api/%fe", (404, "session_not_found"), (404, "session_not_found")),
    ],
)
def test_unknown_and_foreign(archal, path, own, other):
    """404 for what does not exist, 403 for what is another user's."""
    url = f"{archal.runtime_url}/runtime/{path.format(known=archal.session_id)}"
    for token, (status, code) in ((archal.token, own), (archal.other_token, other)):
        answer = send(url, headers=bearer(token))
        assert answer.status == status
        assert answer.json.get("code") == code


def test_a_deleted_session_is_404_session_ended(archal, control):
    """Deleting a session closes its proxy, whatever the clone."""
    github = route(archal)
    assert github("GET", "/user").status == 200
    control("DELETE", f"/api/sessions/{github.base.split('/')[4]}")
    refused(github("GET", "/user"), 404, "session_ended")
    refused(
        send(github.base.replace("github", "slack"), headers=bearer(archal.token)),
        404,
        "session_ended",
    )


def test_a_session_answers_503_until_it_runs_and_404_after_its_ttl(delayed):
    """Retry-After is the rest of the delay in whole seconds."""
    archal, clock = delayed
    github = route(archal, ttlSeconds=100)
    clock.now += 10.5
    answer = github("GET", "/user")
    refused(answer, 503, "session_starting")
    assert answer.header("retry-after") == "20"
    clock.now += 19.5
    assert github("GET", "/user").status == 200
    clock.now += 70
    refused(github("GET", "/user"), 404, "session_ended")


def test_expired_sessions_give_their_memory_back(delayed):
    """A new session sweeps the clones of those that ended by time."""
    archal, clock = delayed
    old = route(archal, ttlSeconds=40)
    clock.now += 30
    assert old("GET", "/user").status == 200
    clock.now += 30
    new = route(archal)
    clock.now += 30
    assert new("GET", "/user").status == 200
    assert old.base.split("/")[4] not in archal._world._running


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "x-Odd"]
)
def test_every_verb_passes(echoing, method):
    """The clone sees the method as it was sent, with its body."""
    seen = echoing(method, "/any", body=b"\x00\xff").json
    assert seen["method"] == method
    assert seen["body"] == "\x00\xff"


def test_head_passes_without_a_body(echoing):
    """HEAD has the headers of GET only."""
    answer = echoing("HEAD", "/any")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        "/a%2Fb/c",
        "/a%2fb%20c",
        "/a//b/",
        "/a/../b/./c",
        "/%00/%ff%fe/%C3%A9",
        "/x?a=1&a=2&b=%2F&c=+&d",
        "/x?",
        "/x?a=%26%3D&&=&a",
        "/x;p=1?q=a;b",
        "/" + "long/" * 2000,
    ],
)
def test_path_and_query_pass_byte_for_byte(echoing, target):
    """Nothing is decoded, encoded, sorted or shortened."""
    seen = echoing("GET", target).json
    path, _, query = target.partition("?")
    assert (seen["raw_path"], seen["query"]) == (path or "/", query)


def test_headers_pass_except_route_control_and_hop_by_hop(archal, echoing):
    """Repeated fields stay repeated and in order, and so does the service credential."""
    headers = [
        ("X-Route-Authorization", f"Bearer {archal.token}"),
        ("x-route-session", "s"),
        ("X-Archal-Upstream-Authorization", "Bearer x"),
        ("Authorization", f"Bearer {GITHUB_TOKEN}"),
        ("X-Many", "1"),
        ("X-Other", "a, b"),
        ("X-Many", "2"),
        ("Connection", "close, X-Listed"),
        ("X-Listed", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic x"),
        ("Accept-Encoding", "gzip"),
        ("x-routes", "kept"),
    ]
    seen = send(f"{echoing.base}/x", headers=headers).json["headers"]
    assert seen[0] == ["host", "echo.localhost"]
    assert seen[1:] == [
        ["authorization", f"Bearer {GITHUB_TOKEN}"],
        ["x-many", "1"],
        ["x-other", "a, b"],
        ["x-many", "2"],
        ["accept-encoding", "gzip"],
        ["x-routes", "kept"],
    ]


def test_a_chunked_body_arrives_whole(archal, echoing):
    """Transfer-Encoding is this hop's; the clone gets a length instead."""
    headers = [*bearer(archal.token).items(), ("Transfer-Encoding", "chunked")]
    chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    seen = raw_exchange(f"{echoing.base}/x", headers, chunks)
    assert '"body": "abcde"' in seen
    assert '["content-length", "5"]' in seen
    assert "transfer-encoding" not in seen.partition("\r\n\r\n")[2]


def raw_exchange(url, headers, body):
    """Send a request whose body is already framed."""
    parts = urlsplit(url)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as sock:
        start = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n"
        sock.sendall(start.encode() + body)
        return sock.makefile("rb").read().decode()


def test_the_answer_passes_with_references_moved(echoing):
    """Link and Location point to the public base; other fields and repetitions stay."""
    headers = [
        ("x-route-authorization", f"Bearer {echoing.token}"),
        ("x-answer", 'Link: <https://echo.localhost/a?page=2>; rel="next", </b>; rel="last"'),
        ("x-answer", "Location: https://echo.localhost/c?d=%2F"),
        ("x-answer", "Content-Location: /e"),
        ("x-answer", "Set-Cookie: a=1"),
        ("x-answer", "Set-Cookie: b=2"),
        ("x-answer", "Connection: close, X-Inner"),
        ("x-answer", "X-Inner: 1"),
    ]
    answer = send(f"{echoing.base}/x", headers=headers)
    base = echoing.base
    assert answer.header("link") == f'<{base}/a?page=2>; rel="next", <{base}/b>; rel="last"'
    assert answer.header("location") == f"{base}/c?d=%2F"
    assert answer.header("content-location") == f"{base}/e"
    cookies = [value for name, value in answer.fields if name.lower() == "set-cookie"]
    assert cookies == ["a=1", "b=2"]
    assert answer.header("x-inner") is None


@pytest.mark.parametrize(
    ("reference", "moved"),
    [
        (b"https://api.github.com/x", b"BASE/x"),
        (b"http://API.github.com/x?y#z", b"BASE/x?y#z"),
        (b"//api.github.com/x", b"BASE/x"),
        (b"https://api.github.com", b"BASE"),
        (b"https://api.github.com?x", b"BASE?x"),
        (b"/x", b"BASE/x"),
        (b"x/y", b"x/y"),
        (b"", b""),
        (b"?page=2", b"?page=2"),
        (b"//example.com/x", b"//example.com/x"),
        (b"https://api.github.com.evil.example/x", b"https://api.github.com.evil.example/x"),
        (b"https://api.github.com:8443/x", b"https://api.github.com:8443/x"),
        (b"https://u@api.github.com/x", b"https://u@api.github.com/x"),
        (b"https://example.com/?u=https://api.github.com/x",) * 2,
    ],
)
def test_only_the_services_own_origin_is_moved(reference, moved):
    """Other origins and relative paths are left alone."""
    found = public_reference(reference, host="api.github.com", base=BASE)
    assert found == moved.replace(b"BASE", BASE.encode())


def test_header_rules_without_a_server():
    """Names are matched in any case, and a length is only added where framing was removed."""
    raw = [(b"Host", b"x"), (b"X-Route-A", b"1"), (b"Content-Length", b"9"), (b"A", b"\xff")]
    kept = for_clone(raw, host="h", length=9)
    assert kept == [(b"host", b"h"), (b"content-length", b"9"), (b"a", b"\xff")]
    chunked = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"1")]
    assert for_clone(chunked, host="h", length=9) == [(b"host", b"h"), (b"content-length", b"9")]
    assert for_caller([(b"Upgrade", b"x")], host="h", base=BASE) == []


def test_the_budget_is_counted_over_the_session(archal):
    """After `rateLimit` requests the clone responds with its own 429; refusals do not count."""
    github = route(archal, rateLimit=2)
    stranger = dataclasses.replace(github, token="wrong")
    statuses = [
        stranger("GET", "/user").status,
        github("GET", "/user").status,
        github("GET", "/nowhere").status,
    ]
    assert statuses == [401, 200, 404]
    answer = github("GET", "/user")
    assert answer.status == 429
    assert answer.json["message"].startswith("API rate limit exceeded")
    assert set(answer.json) == {"message", "documentation_url", "status"}
    assert answer.header("x-ratelimit-limit") == "2"
    assert answer.header("x-ratelimit-remaining") == "0"
    assert int(answer.header("retry-after")) > 0
    assert archal.requests[-1].clone_saw is None


def test_a_users_clone_has_a_plain_429(archal):
    """A clone the user brings has no shape of its own for it."""
    echoing = route(archal, "echo", rateLimit=1)
    assert echoing("GET", "/").status == 200
    answer = echoing("GET", "/")
    assert (answer.status, answer.header("retry-after")) == (429, "60")


def test_a_body_over_the_limit_is_413_after_the_other_checks(archal, echoing):
    """Exactly 10 MB still pass."""
    assert echoing("PUT", "/x", body=b"x" * 10_000_000).status == 200
    body = b"x" * 10_000_001
    refused(echoing("PUT", "/x", body=body), 413, "payload_too_large")
    stranger = dataclasses.replace(echoing, token="wrong")
    refused(stranger("PUT", "/x", body=body), 401, "unauthorized")


async def raises(_scope, _receive, _send):
    raise LookupError("not mine")


async def silent(_scope, _receive, _send):
    return


async def stops_midway(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise LookupError("too late")


async def lingers(_scope, receive, send):
    messages = [await receive()]
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
    messages.append(await receive())
    lingers.saw = [message["type"] for message in messages]


def test_a_clone_is_told_when_the_exchange_is_over():
    """After the body comes what the connection says next."""
    with LocalArchal(extra_clones={"lingers": lambda _base: lingers}) as archal:
        url = f"{archal.base_url('lingers')}/x"
        assert send(url, headers=bearer(archal.token)).status == 204
    assert lingers.saw == ["http.request", "http.disconnect"]


def no_clone(_base):
    raise LookupError("cannot be built")


def test_a_clone_that_fails_is_502(caplog):
    """Whatever a user's clone does, the caller gets a response, and the log says why."""
    extra = {
        "raises": lambda _base: raises,
        "silent": lambda _base: silent,
        "unbuilt": no_clone,
        "midway": lambda _base: stops_midway,
    }
    with LocalArchal(extra_clones=extra) as archal, caplog.at_level(logging.ERROR):
        for name in ("raises", "silent", "unbuilt"):
            answer = send(f"{archal.base_url(name)}/x", headers=bearer(archal.token))
            refused(answer, 502, "clone_failed")
        with pytest.raises((OSError, HTTPException)):
            send(f"{archal.base_url('midway')}/x", headers=bearer(archal.token))
    assert "the raises clone failed" in caplog.text
    assert archal.token not in caplog.text


def test_clones_of_two_sessions_do_not_share_state(archal):
    """A repository of one session does not exist in another."""
    one, two = route(archal), route(archal)
    assert one("POST", "/user/repos", {"name": "x"}).status == 201
    assert two("GET", "/repos/testuser/x").status == 404


def test_the_ready_session_is_starting_first_with_a_delay(delayed):
    """`startup_delay` holds for the session made at the start as well."""
    _, clock = delayed
    with LocalArchal(startup_delay=5.0, clock=clock) as archal:
        control = Control(archal.api_url, archal.token)
        path = f"/api/sessions/{archal.session_id}"
        assert control("GET", path).json["status"] == "starting"
        answer = send(f"{archal.base_url('github')}/user", headers=bearer(archal.token))
        refused(answer, 503, "session_starting")
        clock.now += 5
        assert control("GET", path).json["alive"] is True
