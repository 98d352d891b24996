"""Recordings of runs, and their replay without a network."""

from __future__ import annotations

import asyncio
import base64
import doctest
import json
import pickle
import threading
import time
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClones,
    Clones,
    ConfigurationError,
    ConnectionLost,
    Deadline,
    ProtocolError,
    Request,
    RequestTimeout,
    Response,
    ResponseTooLarge,
    RetryPolicy,
    Settings,
    Timeout,
    errors,
)
from archal_lambda.local import LocalArchal
from archal_lambda.testing import RecordTransport, ReplayMissError, ReplayTransport
from archal_lambda.transports.mock import MockTransport

ROOT = "https://ses-1.clones.archal.ai"
TOKEN = "of-the-route-0123456789"
SETTINGS = Settings(clone_urls={"github": f"{ROOT}/github/api"}, token=TOKEN)
ELSEWHERE = Settings(
    clone_urls={"github": "https://other.test/runtime/ses-9/github/api"}, token="t"
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "recording.jsonl"


def record(file, handler, *calls, settings=SETTINGS):
    """Record calls of the GitHub clone that a function answers; give the lines behind the first."""
    with RecordTransport(file, MockTransport(handler)) as recording:
        github = Clones(settings, transport=recording, retry=RetryPolicy(attempts=1))["github"]
        for call in calls:
            call(github)
    return [json.loads(line) for line in lines(file)[1:]]


def lines(file):
    """Not by `splitlines`, which takes for ends of lines what a text may have."""
    return file.read_text(encoding="utf-8").split("\n")[:-1]


def replay(file, settings=ELSEWHERE, **options):
    transport = ReplayTransport(file, **options)
    return Clones(settings, transport=transport, retry=RetryPolicy(attempts=1))["github"], transport


def ok(_):
    return Response(200, json={"ok": True})


# --- real servers


def work(clones):
    github = clones["github"]
    made = github.post("/user/repos", json={"name": "x"}, token="ghp-like-token")
    raw = github.get(
        "/repos/testuser/x",
        headers={"Accept": "application/vnd.github.raw"},
        token="ghp-like-token",
    )
    listed = github.get("/user/repos", params={"per_page": 1, "page": 1}, token="ghp-like-token")
    refused = github.get("/user")
    me = github.mcp.call("get_me", {})
    side = clones.gather(
        [
            ("github", Request("GET", f"/repos/testuser/{name}", token="ghp-like-token"))
            for name in "xyxyxyxy"
        ]
        * 4,
        max_concurrency=8,
    )
    return (
        made.json()["full_name"],
        made.headers["location"].startswith("http"),
        raw.status_code,
        [one["name"] for one in listed.json()],
        (refused.status_code, refused.rejected_by),
        me.structured["login"],
        [tool.name for tool in github.mcp.tools()],
        [one.status_code for one in side],
    )


def test_a_session_is_replayed_with_its_server_gone(file):
    """Clones side by side and over MCP, in a session that is made and stopped."""

    def run(environ, transport):
        with (
            ArchalClient.from_env(environ, transport=transport) as client,
            client.sessions.open(clones=["github"]) as session,
        ):
            return work(session.clones)

    with LocalArchal() as archal:
        secret = archal.environ["ARCHAL_TOKEN"]
        with RecordTransport(file) as recording:
            recorded = run(archal.environ, recording)
        address = archal.environ["ARCHAL_LAMBDA_API_URL"]

    transport = ReplayTransport(file)
    assert run({"ARCHAL_TOKEN": "another"}, transport) == recorded
    assert transport.unused == ()
    text = file.read_text(encoding="utf-8")
    for left_out in (secret, "ghp-like-token", address, "ses-"):
        assert left_out not in text


def test_clones_of_the_environment_are_replayed_under_another_session(file):
    with (
        LocalArchal() as archal,
        RecordTransport(file) as recording,
        Clones.from_env(archal.environ, transport=recording) as clones,
    ):
        recorded = work(clones)
    with LocalArchal() as other:
        environ = other.environ

    with Clones.from_env(environ, transport=ReplayTransport(file)) as clones:
        assert work(clones) == recorded
    with Clones.from_env(environ, transport=ReplayTransport(file)) as clones:
        made = clones["github"].post("/user/repos", json={"name": "x"}, token="other-token")
        base = json.loads(environ["AGENT_CLONE_URLS"])["github"]
        assert made.headers["location"] == f"{base}/repos/testuser/x"
        assert made.json()["url"] == f"{base}/repos/testuser/x"


def test_asynchronous_clients(file):
    async def run(environ, transport):
        async with (
            AsyncArchalClient.from_env(environ, transport=transport) as client,
            client.sessions.open(clones=["github"]) as session,
        ):
            github = session.clones["github"]
            made = await github.post("/user/repos", json={"name": "x"}, token="ghp-like-token")
            side = await session.clones.gather(
                [("github", Request("GET", "/user", token="ghp-like-token"))] * 16
            )
            me = await github.mcp.call("get_me", {})
            return made.status_code, [one.status_code for one in side], me.structured["login"]

    with LocalArchal() as archal, RecordTransport(file) as recording:
        recorded = asyncio.run(run(archal.environ, recording))

    transport = ReplayTransport(file)
    assert asyncio.run(run({"ARCHAL_TOKEN": "another"}, transport)) == recorded
    assert transport.unused == ()


def test_two_recordings_of_the_same_are_the_same(tmp_path):
    """But for what bodies have of the time."""
    texts = []
    for name in ("one", "two"):
        with (
            LocalArchal() as archal,
            RecordTransport(tmp_path / name) as recording,
            Clones.from_env(archal.environ, transport=recording) as clones,
        ):
            clones["github"].get("/repos/no/thing", token="t-or-other")
            clones["github"].mcp.tools()
        texts.append((tmp_path / name).read_text(encoding="utf-8"))

    assert texts[0] == texts[1]


# --- matching


def test_equal_requests_are_answered_in_order_and_once(file):
    answers = iter(range(3))
    record(
        file, lambda _: Response(200, json=next(answers)), *[lambda github: github.get("/a")] * 3
    )

    github, transport = replay(file)
    assert transport.unused == ("GET github /a",) * 3
    assert [github.get("/a").json() for _ in range(3)] == [0, 1, 2]
    assert transport.unused == ()
    with pytest.raises(ReplayMissError, match=r"so often: it was recorded 3 times; repeat=True"):
        github.get("/a")

    github, _ = replay(file, repeat=True)
    assert [github.get("/a").json() for _ in range(5)] == [0, 1, 2, 2, 2]


def test_order_does_not_matter_where_it_has_no_meaning(file):
    record(
        file,
        ok,
        lambda github: github.post("/a", params={"x": 1, "y": [1, 2]}, json={"a": 1, "b": [2]}),
        lambda github: github.post("/a", form={"a": 1, "b": [2, 3]}),
        lambda github: github.post(
            "/a", content=b'{"a": 1}', headers={"Content-Type": "application/json"}
        ),
    )

    github, transport = replay(file)
    github.post("/a", form={"b": [2, 3], "a": 1}, headers={"Idempotency-Key": "drawn"})
    github.post("/a", params={"y": [1, 2], "x": 1}, json={"b": [2], "a": 1})
    github.post("/a", json={"a": 1})
    assert transport.unused == ()


@pytest.mark.parametrize(
    ("call", "differ"),
    [
        (lambda github: github.put("/a/b", params={"x": 1}, json={"a": {"b": [1]}}), "method"),
        (lambda github: github.post("/a/c", params={"x": 1}, json={"a": {"b": [1]}}), "path"),
        (lambda github: github.post("/a/b", params={"x": 2}, json={"a": {"b": [1]}}), "query x"),
        (lambda github: github.post("/a/b", json={"a": {"b": [1]}}), "query x"),
        (
            lambda github: github.post("/a/b", params={"x": 1}, json={"a": {"b": [2]}}),
            r"body \$.a.b\[0\]",
        ),
        (
            lambda github: github.post("/a/b", params={"x": 1}, json={"a": {"b": [True]}}),
            r"body \$.a.b\[0\]",
        ),
        (
            lambda github: github.post("/a/b", params={"x": 1}, json={"a": {"b": [1, 2]}}),
            r"body \$.a.b\[1\]",
        ),
        (lambda github: github.post("/a/b", params={"x": 1}, json={"a": {}}), r"body \$.a.b"),
        (lambda github: github.post("/a/b", params={"x": 1}, json={"a": 1}), r"body \$.a"),
    ],
)
def test_a_miss_names_the_nearest_and_what_differs(file, call, differ):
    record(
        file,
        ok,
        lambda github: github.get("/else"),
        lambda github: github.post("/a/b", params={"x": 1}, json={"a": {"b": [1]}}),
    )
    github, transport = replay(file)

    with pytest.raises(
        ReplayMissError, match=rf"line 3, POST github /a/b, of which differ: {differ}$"
    ):
        call(github)

    assert len(transport.unused) == 2


def test_a_miss_is_no_error_that_is_tried_again_or_caught(file):
    record(file, ok, lambda github: github.get("/a"))
    transport = ReplayTransport(file)
    github = Clones(ELSEWHERE, transport=transport, retry=RetryPolicy(attempts=5))["github"]

    with pytest.raises(ReplayMissError) as caught:
        github.get("/b")

    assert not isinstance(caught.value, errors.ArchalError | OSError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


def test_a_miss_shows_no_value(file):
    secret = "gh" + "p_0123456789abcdefghij"
    record(file, ok, lambda github: github.post("/a", json={"title": "recorded-value"}))
    github, _ = replay(file)

    with pytest.raises(ReplayMissError) as caught:
        github.post(
            f"/bot/{secret}/x",
            params={secret: "v", "q": "made-value"},
            json={"title": "made-value", secret: 1, "password": "made-pass"},
            token="service-credential",
        )

    for shown in (secret, "made-", "recorded-value", "service-credential"):
        assert shown not in str(caught.value)


def test_a_recording_is_used_by_eight_threads_at_once(file):
    numbers = iter(range(400))
    record(
        file, lambda _: Response(200, json=next(numbers)), *[lambda github: github.get("/a")] * 400
    )
    github, transport = replay(file)
    got, lock = [], threading.Lock()

    def take():
        for _ in range(50):
            number = github.get("/a").json()
            with lock:
                got.append(number)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == list(range(400))
    assert transport.unused == ()


def test_other_clones_are_others(file):
    urls = {"odd": "https://odd.test/here", "even": "https://even.test/here"}
    settings = Settings(clone_urls=urls, token=TOKEN)
    with RecordTransport(file, MockTransport(ok), clone_urls=urls) as recording:
        Clones(settings, transport=recording)["odd"].get("/a")

    clones = Clones(settings, transport=ReplayTransport(file, clone_urls=urls))
    with pytest.raises(ReplayMissError, match="of which differ: clone"):
        clones["even"].get("/a")
    assert clones["odd"].get("/a").is_success


def test_sessions_have_numbers(file):
    """So that each keeps its own answers."""

    def handler(request):
        if request.method == "POST":
            name = f"made-{len(made)}"
            made.append(name)
            urls = {"github": f"https://{name}.clones.archal.ai/github/api"}
            fields = {"createdAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-02T00:00:00Z"}
            return Response(
                200, json={"sessionId": name, "status": "running", "apiBaseUrls": urls, **fields}
            )
        return Response(204)

    def run(transport):
        client = ArchalClient(Settings(token=TOKEN), transport=transport)
        sessions = [client.sessions.create(clones=["github"]) for _ in range(2)]
        for one in reversed(sessions):
            client.sessions.delete(one.session_id)
        return sessions

    made = []
    with RecordTransport(file, MockTransport(handler)) as recording:
        run(recording)

    assert [json.loads(line)["request"]["path"] for line in lines(file)[3:]] == [
        "/api/sessions/{archal.session-2}",
        "/api/sessions/{archal.session-1}",
    ]
    first, second = run(ReplayTransport(file))
    assert first.session_id != second.session_id
    assert first.api_base_urls["github"] == "https://runtime-1.replay.invalid/github/api"


def test_a_stream_of_events_answers_the_number_that_asked(file):
    """The numbers of MCP messages count in one process only, and so do those of progress."""

    def handler(request):
        asked = json.loads(request.content)
        token = asked["params"]["_meta"]["progressToken"]
        progress = {"progressToken": token, "progress": 1, "total": 2}
        messages = [
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": progress},
            {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": {"content": [], "structuredContent": {"n": 1}},
            },
        ]
        content = "".join(f"event: message\ndata: {json.dumps(one)}\n\n" for one in messages)
        return Response(
            200, headers={"Content-Type": "text/event-stream"}, content=content.encode()
        )

    def call(github):
        seen = []
        result = github.mcp.call("work", {"a": 1}, progress=lambda *args: seen.append(args))
        return result.structured, seen

    record(file, handler, call)

    github, transport = replay(file)
    assert call(github) == ({"n": 1}, [(1.0, 2.0)])
    assert transport.unused == ()


# --- what is recorded


def test_failures_are_replayed_as_they_were(file):
    raised = [
        ConnectionLost("connection lost", sent=True),
        RequestTimeout("timed out (body)", phase="body", sent=True),
        ProtocolError("bad", status_code=200, sent=True),
        ResponseTooLarge(limit=5, sent=True),
    ]
    left = iter(raised)

    def handler(_):
        raise next(left)

    def fail(github):
        with pytest.raises(errors.TransportError):
            github.get("/a")

    record(file, handler, *[fail] * 4)

    github, _ = replay(file)
    for error in raised:
        with pytest.raises(type(error)) as caught:
            github.get("/a")
        again = caught.value
        assert (again.args, again.sent) == (error.args, True)
        for name in ("phase", "status_code", "limit"):
            assert getattr(again, name, None) == getattr(error, name, None)
        assert again.url.startswith("https://other.test/")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"\x00\x01\xff\xfe" * 9, "image/png"),
        ("größer".encode(), "text/plain; charset=utf-8"),
        (b"a=1&b=&a=%C3%B6+2", "application/x-www-form-urlencoded"),
        ("größer".encode("latin-1"), "text/plain; charset=latin-1"),
        ("größer".encode("utf-16"), "text/plain; charset=utf-16"),
        (b"a-b" * 9, "text/plain; charset=punycode"),
        ("größer".encode("latin-1"), "text/plain"),
        ("line\u2028\r\nline\n".encode(), "text/plain; charset=nonsense"),
        (b'"\\ud800"', "application/json"),
        (b"{not json", "application/json"),
        (b"[" * 5000, "application/json"),
        (b"1e999", "application/json"),
        (b'{"a":null,"b":[1.5,true,18446744073709551617]}', "application/json"),
    ],
)
def test_a_body_comes_back_as_it_was(file, content, kind):
    record(
        file,
        lambda _: Response(200, headers={"Content-Type": kind}, content=content),
        lambda github: github.post("/a", content=content, headers={"Content-Type": kind}),
    )

    github, transport = replay(file)

    assert github.post("/a", content=content, headers={"Content-Type": kind}).content == content
    assert transport.unused == ()


def test_a_wait_is_kept_and_the_moment_is_not(file):
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060"}
    when = {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}
    record(file, lambda _: Response(403, headers=spent | when), lambda github: github.get("/a"))

    github, _ = replay(file)
    response = github.get("/a")

    assert response.retry_after == 60.0
    assert "1700000060" not in file.read_text(encoding="utf-8")


def test_who_refused_is_told_again(file):
    answers = [
        Response(401, headers={"x-github-request-id": "AB:12"}, json={"error": "unauthorized"}),
        Response(
            401,
            headers={"www-authenticate": 'Bearer realm="archal", x="y"'},
            json={"error": "unauthorized", "message": "m"},
        ),
        Response(402, headers={"request-id": "req_abc"}, json={"error": "e"}),
        Response(404, json={"error": "clone_not_found", "message": "no session"}),
    ]
    left = iter(answers)
    record(
        file, lambda _: next(left), *[lambda github: github.get("/a", token="service-token")] * 4
    )

    github, _ = replay(file)

    told = [github.get("/a", token="service-token").rejected_by for _ in answers]
    assert told == [one.rejected_by for one in answers]


def test_the_token_of_the_extension_is_neither_recorded_nor_asked_for(file):
    asked = []

    def handler(request):
        asked.append(request.url)
        return (
            Response(200, json={"SecretString": "of-the-secret-store"})
            if "secretsmanager" in request.url
            else ok(request)
        )

    environ = {
        "AGENT_CLONE_URLS": json.dumps({"github": f"{ROOT}/github/api"}),
        "ARCHAL_TOKEN_SECRET": "name-of-it",
        "AWS_SESSION_TOKEN": "session-token-of-aws",
    }
    with RecordTransport(file, MockTransport(handler)) as recording:
        Clones.from_env(environ, transport=recording)["github"].get("/a")

    text = file.read_text(encoding="utf-8")
    assert len(asked) == 2
    assert len(text.splitlines()) == 2
    for secret in ("of-the-secret-store", "name-of-it", "session-token-of-aws"):
        assert secret not in text
    transport = ReplayTransport(file)
    assert Clones.from_env(environ, transport=transport)["github"].get("/a").is_success
    assert transport.unused == ()


# --- secrets


def test_no_secret_is_in_a_recording(file):
    """In headers, queries, paths, forms, JSON, text, XML, multipart and binary bodies, there and back."""
    secrets = [f"sec{number:02d}-0123456789" for number in range(40)]
    left = iter(secrets)
    used = []

    def secret():
        used.append(next(left))
        return used[-1]

    header, cookie, service = secret(), secret(), secret()
    boundary = b"drawn-for-this"
    telegram = "123456789:" + "AAE" * 12
    reply = {
        "access_token": secret(),
        "nested": {"client_secret": {"a": [secret()]}, "note": f"echo {service} {TOKEN}"},
        "download_url": f"https://raw.test/x?ref=main&token={secret()}",
        "dsn": f"postgres://user:{secret()}@db.test/x",
        "text": json.dumps({"password": secret(), "pin": secret()}),
        "escaped": "q?a=1\u2028&token=" + secret(),
    }
    answer = Response(
        200,
        headers=[
            ("Content-Type", "application/json"),
            ("Set-Cookie", f"sid={cookie}; Path=/; SameSite=Strict"),
            ("X-Custom-Token", secret()),
            ("X-Unlisted", secret()),
            ("Location", f"https://x.test/cb?state=1&access_token={secret()}"),
            ("Link", f'<https://x.test/a?page=2&api_key={secret()}>; rel="next"'),
            ("WWW-Authenticate", f'Bearer realm="x", token="{secret()}"'),
            ("Mcp-Session-Id", secret()),
            ("X-Archal-Thing", secret()),
        ],
        json=reply,
    )
    echo = Response(
        200, headers={"Content-Type": "text/plain"}, content=f"you sent {header} {cookie}".encode()
    )
    multipart = (
        b'--%b\r\nContent-Disposition: form-data; name="token"\r\n\r\n%b\r\n'
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        b"Content-Type: text/plain\r\n\r\n%b\r\n--%b--\r\n"
        % (boundary, secret().encode(), boundary, header.encode(), boundary)
    )
    calls = [
        lambda github: github.get(
            "/a",
            params={"api_key": secret(), "q": header},
            headers={"X-Custom-Auth": header},
            token=service,
        ),
        lambda github: github.post(
            "/a", form={"client_secret": secret(), "card": {"cvc": secret()}, "x": header}
        ),
        lambda github: github.post(
            "/a", json={"password": secret(), "deep": [{"apiKey": secret(), "say": header}]}
        ),
        lambda github: github.post(
            "/a",
            content=f"<a><password>{secret()}</password>{header}</a>",
            headers={"Content-Type": "text/xml"},
        ),
        lambda github: github.post(
            "/a",
            content=multipart,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"},
        ),
        lambda github: github.post(
            "/a",
            content=b"\x00\xff" + header.encode(),
            headers={"Content-Type": "application/octet-stream"},
        ),
        lambda github: github.get(f"/files/{header}/bot{telegram}/x"),
        lambda github: github.get(f"/files/{header.replace('-', '%2D')}"),
        lambda github: github.post(
            "/a",
            content=header.encode("utf-16"),
            headers={"Content-Type": "text/plain; charset=utf-16"},
        ),
    ]
    answers = iter([answer, *[echo] * (len(calls) - 1)])
    record(file, lambda _: next(answers), *calls)

    text = file.read_text(encoding="utf-8")
    decoded = b"".join(
        base64.b64decode(part["body"]["base64"])
        for line in lines(file)[1:]
        for part in (json.loads(line)["request"], json.loads(line)["response"])
        if "base64" in part.get("body", {})
    )
    assert len(decoded) > 2
    for one in [
        *used,
        TOKEN,
        header.replace("-", "%2D"),
        telegram,
        "ses-1",
        "clones.archal.ai",
        "drawn-for-this",
    ]:
        assert one not in text, one
        assert one.encode() not in decoded
    assert "Strict" not in text
    assert '"q","[redacted]"' in text


NAMES = st.sampled_from(
    ["password", "access_token", "apiKey", "client_secret", "card_pin", "x.signature"]
)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
SECRETS = st.text(
    st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=20
).map(lambda text: f"s3cr3t{text}")


@st.composite
def bodies(draw, secrets):
    """JSON with secrets under names, and the header's anywhere."""

    def leaf():
        name, known = draw(NAMES), draw(st.booleans())
        if known:
            return {draw(WORDS): f"{draw(WORDS)} {secrets[0]} {draw(WORDS)}"}
        return {name: draw(st.sampled_from([secrets[1], [secrets[1]], {"in": secrets[1]}]))}

    value = leaf()
    for _ in range(draw(st.integers(0, 3))):
        wrap = draw(st.sampled_from(["list", "dict", "text", "merge"]))
        if wrap == "list":
            value = [draw(WORDS), value, None]
        elif wrap == "dict":
            value = {draw(WORDS): value, "n": 1}
        elif wrap == "text":
            value = {"text": json.dumps(value, ensure_ascii=draw(st.booleans()))}
        else:
            value = [value, leaf()]
    return value


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_secret_survives_whatever_the_body(tmp_path_factory, data):
    known, named = data.draw(SECRETS), data.draw(SECRETS)
    file = tmp_path_factory.mktemp("kept") / "recording.jsonl"
    request, answer = data.draw(bodies((known, named))), data.draw(bodies((known, named)))
    indent = data.draw(st.sampled_from([None, 1]))
    content = json.dumps(answer, indent=indent, ensure_ascii=data.draw(st.booleans())).encode()
    kind = data.draw(st.sampled_from(["application/json", "", "text/plain", "text/event-stream"]))

    form = {"nested": {data.draw(NAMES): named}, data.draw(WORDS) or "x": f"a {known}"}

    def call(github):
        github.post("/a", params={"token": named, "q": known}, json=request, token=known)
        github.post(f"/{known}", form=form, token=known)

    record(file, lambda _: Response(200, headers={"Content-Type": kind}, content=content), call)

    text = file.read_text(encoding="utf-8")
    for secret in (known, named):
        assert secret not in text
        assert quote_plus(secret) not in text
    github, transport = replay(file)
    call(github)
    assert transport.unused == ()


# --- files


def test_an_older_recording_stays_until_a_new_one_is_whole(file):
    record(file, ok, lambda github: github.get("/old"))
    before = file.read_bytes()

    def fail():
        with RecordTransport(file, MockTransport(ok)) as recording:
            clones = Clones(SETTINGS, transport=recording)
            clones["github"].get("/new")
            clones.close()
            partial.extend(lines(next(file.parent.glob("*.partial"))))
            raise ZeroDivisionError

    partial = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(partial) == 2  # it is written as it comes
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]

    with RecordTransport(file, MockTransport(ok)) as recording:
        assert file.read_bytes() == before
        Clones(SETTINGS, transport=recording)["github"].get("/new")
    assert b"/new" in file.read_bytes()
    assert b"/old" not in file.read_bytes()
    assert list(file.parent.iterdir()) == [file]


def test_it_records_in_a_block_only(file):
    recording = RecordTransport(file, MockTransport(ok))
    github = Clones(SETTINGS, transport=recording)["github"]

    with pytest.raises(RuntimeError, match="in a with block"):
        github.get("/a")
    with recording:
        github.get("/a")
        with pytest.raises(RuntimeError, match="under way"):
            recording.__enter__()
        with pytest.raises(ConfigurationError, match="cannot be written"):
            RecordTransport(file, MockTransport(ok)).__enter__()
    with pytest.raises(RuntimeError, match="in a with block"):
        github.get("/a")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_a_large_recording_takes_little_time(file):
    record(file, ok, *[lambda github, n=n: github.get(f"/a/{n}") for n in range(2000)])
    github, transport = replay(file)
    started = time.perf_counter()

    for number in reversed(range(2000)):
        github.get(f"/a/{number}")

    assert transport.unused == ()
    assert time.perf_counter() - started < 10


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"path names .*nowhere.* cannot be written: No such"
    ):
        RecordTransport(tmp_path / "nowhere" / "x.jsonl", MockTransport(ok)).__enter__()


FIRST = b'{"archal_recording":1}\n'
LINE = b'{"request":{"method":"GET","clone":"g","path":"/"},"response":{"status":200}}\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "line 1: must be the first line of a recording"),
        (b"PNG\xff\n", "line 1: must be the first line of a recording"),
        (
            b'{"archal_recording":2}\n',
            "line 1: is of version 2, and this archal-lambda reads version 1",
        ),
        (FIRST[:-1], "line 1: is cut off"),
        (FIRST + LINE + LINE[:-1], "line 3: is cut off"),
        (FIRST + LINE + LINE[:30] + b"\n", "line 3: is damaged"),
        (FIRST + LINE + b"\n" + LINE, "line 3: is damaged"),
        (
            FIRST + LINE.replace(b"200", b'"x"'),
            r"line 2: Expected `int`, got `str` at \$.response.status",
        ),
        (
            FIRST + LINE.replace(b',"response":{"status":200}', b""),
            "line 2: must have a response or an error",
        ),
        (
            FIRST + LINE.replace(b'"status":200', b'"status":200,"body":{"base64":"?"}'),
            "line 2: is damaged",
        ),
        (
            FIRST
            + LINE.replace(
                b'"response":{"status":200}', b'"error":{"type":"OSError","reason":"x","sent":true}'
            ),
            "line 2: names an error that is unknown",
        ),
    ],
)
def test_a_damaged_file_is_named_with_its_line(file, content, told):
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=rf"recording\.jsonl, {told}"):
        ReplayTransport(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match=r"x\.jsonl does not exist; record it"):
        ReplayTransport(tmp_path / "x.jsonl")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ReplayTransport(tmp_path)


def test_a_deadline_that_is_over_holds(file):
    record(file, ok, lambda github: github.get("/a"))
    _, transport = replay(file)
    request = Request("GET", "/a")

    with pytest.raises(RequestTimeout):
        transport.send(request, Deadline.after(0.0), Timeout(1.0))
    assert transport.unused == ("GET github /a",)


def test_a_transport_that_is_none_is_refused(file):
    with pytest.raises(ConfigurationError, match="the file is the first argument"):
        RecordTransport(file, "github")

    async def main():
        class Blocking:
            def send(self, request, _deadline, _timeout):
                return Response(200, request=request)

            def close(self):
                pass

        with (
            RecordTransport(file, Blocking()) as recording,
            pytest.raises(TypeError, match="for synchronous clients only"),
        ):
            await AsyncClones(SETTINGS, transport=recording)["github"].get("/a")

    asyncio.run(main())


@pytest.mark.parametrize("transport", [RecordTransport, ReplayTransport])
def test_the_example_of_the_documentation(transport):
    (example,) = doctest.DocTestFinder(recurse=False).find(transport, module=False, globs={})

    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)

    assert (result.failed, result.attempted > 1) == (0, True)
