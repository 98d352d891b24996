"""What is kept of requests and their bodies, and what of it is shown."""

from __future__ import annotations

import base64
import json
import time

import pytest
from support.standin import GITHUB_TOKEN, route, send

from archal_lambda.local import LocalArchal
from archal_lambda.local.server import traffic as traffic_module
from archal_lambda.local.server.records import RecordedRequest, Redactor
from archal_lambda.local.server.traffic import Traffic
from archal_lambda.testing.shown import Hider, credentials, is_text

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def archal():
    async def chatty(scope, receive, send):
        """Answer with the request's body, in pieces, as the type and coding that the request asks for."""
        body = (await receive())["body"]
        asked = dict(scope["headers"])
        headers = [
            (b"content-type", asked.get(b"x-type", b"application/json")),
            (b"set-cookie", b"sid=cookie-of-mine"),
        ]
        if b"x-coding" in asked:
            headers.append((b"content-encoding", asked[b"x-coding"]))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(body), 7):
            await send(
                {"type": "http.response.body", "body": body[start : start + 7], "more_body": True}
            )
        await send({"type": "http.response.body", "body": b""})

    with LocalArchal(clones=["github"], extra_clones={"chatty": lambda _base: chatty}) as running:
        yield running


def asked(archal, path):
    answer = send(f"{archal.api_url}/_archal/{path}")
    return answer.status, answer.json


def newest(archal):
    """The last request, with its bodies."""
    last = asked(archal, "requests")[1]["last"]
    return asked(archal, f"requests/{last}")[1]


def test_requests_have_numbers_that_stay(archal):
    """They count from 1; `after` gives what is new, and its `last` is where to go on."""
    github = route(archal)
    github("GET", "/user")
    _, first = asked(archal, "requests?after=0")
    github("GET", "/nowhere")
    _, second = asked(archal, f"requests?after={first['last']}")

    assert [request["number"] for request in first["requests"]] == [1, 2]
    assert [request["number"] for request in second["requests"]] == [3]
    assert second["last"] == 3
    nothing = {"run": first["run"], "requests": [], "last": 3}
    assert asked(archal, "requests?after=3")[1] == nothing
    assert asked(archal, "requests?after=99")[1] == nothing
    assert asked(archal, "requests/3")[1]["path"] == second["requests"][0]["path"]


def test_a_request_has_what_its_record_has(archal):
    """In the names that JSON has, with who answered."""
    github = route(archal)
    github("GET", "/user?page=1")
    send(f"{archal.base_url('github')}/user")
    created, cloned, stopped = asked(archal, "requests")[1]["requests"]

    fields = {
        "method",
        "path",
        "query",
        "sessionId",
        "clone",
        "status",
        "durationMs",
        "receivedHeaders",
        "cloneSaw",
        "tool",
    }
    assert fields <= cloned.keys()
    assert [each["answeredBy"] for each in (created, cloned, stopped)] == [
        "control plane",
        "clone",
        "route",
    ]
    assert (cloned["clone"], cloned["query"], cloned["status"]) == ("github", "page=1", 200)
    assert cloned["cloneSaw"]["path"] == "/user"
    assert ["authorization", "[redacted]"] in cloned["receivedHeaders"]
    assert stopped["cloneSaw"] is None


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "", "9" * 40, "٣"])
def test_a_number_that_is_none_is_refused(archal, after):
    """The message names the parameter."""
    from urllib.parse import quote  # noqa: PLC0415

    status, body = asked(archal, f"requests?after={quote(after)}")
    assert (status, body["code"]) == (400, "invalid_request")
    assert body["message"].startswith("after:")


@pytest.mark.parametrize("number", ["0", "2", "77"])
def test_a_request_that_is_not_kept_is_404(archal, number):
    """Numbers begin with 1."""
    send(f"{archal.api_url}/auth/me")
    assert asked(archal, f"requests/{number}")[0] == 404


def test_looking_is_no_request(archal):
    """The page's own calls are in no list."""
    for _ in range(3):
        asked(archal, "requests")
    found = asked(archal, "requests")[1]
    assert (found["requests"], found["last"]) == ([], 0)
    assert archal.requests == ()


def test_bodies_are_kept_as_they_went_by(archal):
    """Both sides, whether sent in one piece or many; the caller gets every byte of it."""
    chatty = route(archal, "chatty")
    body = b'{"b": 1.0, "a": [1, 2],   "c": "\xc3\xa4"}'
    answer = chatty("POST", "/x", body=body, Content_Type=JSON)
    shown = newest(archal)

    assert answer.body == body
    assert shown["requestBody"] == {
        "type": JSON,
        "size": len(body),
        "text": body.decode(),
        "note": None,
    }
    assert shown["responseBody"] == shown["requestBody"]
    assert ["set-cookie", "[redacted]"] in shown["responseHeaders"]


@pytest.mark.parametrize(
    ("kind", "coding", "body"),
    [
        (b"image/png", None, b"\x89PNG" + bytes(range(256))),
        (b"application/octet-stream", None, b"plain"),
        (b"application/json", b"gzip", b"\x1f\x8b123"),
        (b"multipart/form-data", None, b"--x\r\nname=token"),
        (b"text/plain", None, b"\xff\xfe\x00"),
    ],
)
def test_what_is_not_text_is_shown_as_its_size(archal, kind, coding, body):
    """So is what is coded."""
    extra = {} if coding is None else {"x_coding": coding}
    route(archal, "chatty")("POST", "/x", body=body, x_type=kind, **extra)
    shown = newest(archal)["responseBody"]
    assert (shown["size"], shown["text"]) == (len(body), None)
    assert shown["note"] == "not shown, because it is not text"


def test_of_a_large_body_the_beginning_is_kept(archal):
    """64 KiB of it; what the caller gets is whole, and a secret that the cut goes through stays hidden."""
    body = json.dumps({"text": "x" * 65_480, "password": "p" * 200, "more": "y" * 1000}).encode()
    answer = route(archal, "chatty")("POST", "/x", body=body)
    for shown in (newest(archal)["requestBody"], newest(archal)["responseBody"]):
        assert shown["size"] == len(body)
        assert shown["note"] == "only the first 65536 bytes are kept"
        assert "ppp" not in shown["text"]
    assert answer.body == body


def test_credentials_are_hidden_wherever_they_come_again(archal):
    """Archal's token, and what came in `Authorization`, also in a later call's bodies."""
    chatty = route(archal, "chatty")
    basic = base64.b64encode(b"someone:swordfish").decode()
    chatty("POST", "/x", body=f'{{"a": "{archal.token}", "b": "{GITHUB_TOKEN}"}}'.encode())
    first = json.dumps(newest(archal))
    chatty("POST", "/x", body=b"{}", credential=None, Authorization=f"Basic {basic}")
    chatty(
        "POST",
        "/x",
        body=f"it was swordfish, {basic}, {GITHUB_TOKEN}".encode(),
        x_type=b"text/plain",
    )
    later = json.dumps(newest(archal))

    for secret in (archal.token, GITHUB_TOKEN, "swordfish", basic):
        assert secret not in first
        assert secret not in later
    assert '"it was [redacted], [redacted], [redacted]"' in later


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ('{"password": "a\\"b", "n": 1}', JSON, '{"password": "[redacted]", "n": 1}'),
        ('{"pass\\u0077ord":"abc"}', JSON, '{"pass\\u0077ord":"[redacted]"}'),
        ('{"apiKey": 12345, "n": [1]}', JSON, '{"apiKey": "[redacted]", "n": [1]}'),
        ('{"client_secret": {"a": ["x", "}"]}, "n": 1}', JSON, '{"client_secret": "[redacted]", "n": 1}'),
        ('[{"access_token": ["x", "y"]}, 2]', JSON, '[{"access_token": "[redacted]"}, 2]'),
        ('{"token": null, "secret": ""}', JSON, '{"token": null, "secret": ""}'),
        ('{"author": {"login": "me"}}', JSON, '{"author": {"login": "me"}}'),
        ('{"keyword": "basket"}', JSON, '{"keyword": "basket"}'),
        ('{"password": "cut of', JSON, '{"password": "[redacted]"'),
        ('{"secret": {"a": "cut of', JSON, '{"secret": "[redacted]"'),
        ('{"text": "{\\"token\\": \\"abc\\"}"}', JSON, '{"text": "{\\"token\\": \\"[redacted]\\"}"}'),
        ('data: {"pin": 1}\n\ndata: {"n": 1}', "text/event-stream", 'data: {"pin": "[redacted]"}\n\ndata: {"n": 1}'),
        ('{"a": "my known-secret!"}', JSON, '{"a": "my [redacted]!"}'),
        ('{"a": "known\\u002dsecret"}', JSON, '{"a": "[redacted]"}'),
        ('{"known-secret": 1}', JSON, '{"[redacted]": "[redacted]"}'),
        ('{"a": "xoxb-' + '1234567890-abc"}', JSON, '{"a": "[redacted]"}'),
        ('{"a": "-----BEGIN PRIVATE KEY-----\\nMII"}', JSON, '{"a": "[redacted]"}'),
        ('{"card_pin": 1, "spin": 2}', JSON, '{"card_pin": "[redacted]", "spin": 2}'),
        ('{"u": "https://a.test/x?ref=1&token=abc#d"}', JSON, '{"u": "https://a.test/x?ref=1&token=[redacted]#d"}'),
        ('{"u": "https://a.test/x?ref=1\\u0026token=abc"}', JSON, '{"u": "https://a.test/x?ref=1&token=[redacted]"}'),
        ('{"u": "https://me:abc@a.test/x"}', JSON, '{"u": "https://[redacted]@a.test/x"}'),
        ("https://a.test/bot1234567:" + "A" * 20 + "/x", "text/plain", "https://a.test/bot[redacted]/x"),
        ("https://a.test/services/T1/B2/abc", "text/plain", "https://a.test/services/[redacted]"),
        ('Bearer realm="archal"', "text/plain", 'Bearer realm="archal"'),
        ("name=x&password=a%20b&n=1", FORM, "name=x&password=[redacted]&n=1"),
        ("card[number]=4242&card[cvc]=123&amount=5", FORM, "card[number]=[redacted]&card[cvc]=[redacted]&amount=5"),
        ("a=known-secret&b=known%2Dsecret", FORM, "a=[redacted]&b=[redacted]"),
        ("payload=%7B%22token%22%3A%22abc%22%7D", FORM, "payload=%7B%22token%22%3A%22[redacted]%22%7D"),
        ("password=abc", "", "password=[redacted]"),
        ("A=1\nAPI_KEY=abc\n", "text/plain", "A=1\nAPI_KEY=[redacted]\n"),
        ("password: abc\nn: 1", "application/yaml", "password: [redacted]\nn: 1"),
        ("password: null\ntokens: [a]", "application/yaml", "password: null\ntokens: [a]"),
        ('mutation { login(password: "abc") }', "application/graphql", 'mutation { login(password: "[redacted]") }'),
        ("{'password': 'abc'}", JSON, "{'password': '[redacted]'}"),
        ('{"pwd": "abc", "pass": "abc"}', JSON, '{"pwd": "[redacted]", "pass": "[redacted]"}'),
        ('[{"name": "API_KEY", "value": "abc"}]', JSON, '[{"name": "API_KEY", "value": "[redacted]"}]'),
        ('{"url": "https://me:abc@h/x?a=1&access_token=abc#f"}', JSON,
         '{"url": "https://[redacted]@h/x?a=1&access_token=[redacted]#f"}'),
        ('<user name="me" password="abc"/>', "text/xml", '<user name="me" password="[redacted]"/>'),
        ("<Password><![CDATA[a<b]]></Password>", "text/xml", "<Password>[redacted]</Password>"),
        ("<a><SecretKey>x</SecretKey><b>c</b></a>", "text/xml", "<a><SecretKey>[redacted]</SecretKey><b>c</b></a>"),
        ("no secret here", "text/plain", "no secret here"),
        ('{{{]]]"\\', JSON, '{{{]]]"\\'),
    ],
)  # fmt: skip
def test_secrets_are_hidden_and_nothing_else_changes(text, kind, expected):
    """By name, by looks, and where they are known; in whole texts and in such as were cut off."""
    assert Hider(["known-secret"]).text(text, kind) == expected


@pytest.mark.parametrize(
    ("path", "headers", "shown"),
    [
        ("/repos/x/TOKEN", {}, "/repos/x/[redacted]"),
        ("/x?q=TOKEN", {}, "q=[redacted]"),
        ("/x?q=" + "TOKEN".replace("_", "%5f"), {}, "q=[redacted]"),
        ("/x?passphrase=abc&n=1", {}, "passphrase=[redacted]&n=1"),
        ("/x?q=own-secret", {"Authorization": "Bearer own-secret"}, "q=[redacted]"),
        ("/own-secret", {"Cookie": "sid=own-secret"}, "/[redacted]"),
        ("/x", {"X-Trace": "own-secret", "Authorization": "Bearer own-secret"}, '"[redacted]"'),
        ("/x", {"X-Foo": "TOKEN"}, '"[redacted]"'),
        ("/x", {"X-Credential": "abc-def"}, '"[redacted]"'),
        ("/x", {"Referer": "https://h/?access_token=abc-def"}, "?access_token=[redacted]"),
    ],
)
def test_no_record_shows_a_secret_of_its_head(archal, path, headers, shown):
    """By name, by looks, or because it is the request's own credential; however it is coded."""
    token = "ghp_" + "A1b2C3d4" * 4
    path = path.replace("ghp%5f", token[:3] + "%5f").replace("TOKEN", token)
    headers = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    url = archal.base_url("github") + path
    send(url, headers={"x-route-authorization": f"Bearer {archal.token}", **headers})
    for told in (repr(archal.requests[-1]), json.dumps(newest(archal))):
        assert shown in told.replace("'", '"').replace("\\", "")
        for secret in (token, token.replace("_", "%5f"), "own-secret", "abc-def", "=abc"):
            assert secret not in told


def test_a_secret_stays_hidden_after_many_others(archal):
    """In the request that it came with."""
    github = route(archal)
    github("POST", "/user/repos", {"name": "q", "description": "mine"}, credential="the-first-one")
    body = json.dumps({"description": "the-first-one"}).encode()
    github("POST", "/user/repos", body=body, credential="the-first-one")
    number = asked(archal, "requests")[1]["last"]
    for other in range(traffic_module._MAX_SECRETS + 1):
        github("GET", "/user", credential=f"another-one-{other:03}")
    assert "the-first-one" not in json.dumps(asked(archal, f"requests/{number}")[1])


def test_a_secret_that_the_cut_goes_through_stays_hidden(archal):
    secret = "s3cret" * 8
    body = b'{"text": "' + b"x" * (65_536 - 40) + b" " + secret.encode() + b'"}'
    route(archal, "chatty")("POST", "/x", body=body, credential=secret)
    assert secret[:6] not in json.dumps(newest(archal))


def test_hiding_takes_no_time_that_grows_faster_than_the_text():
    """What a hostile caller sends is read once."""
    hider = Hider([f"known-secret-{number}" for number in range(200)])
    started = time.perf_counter()
    for piece in (
        '{"a":',
        '"',
        "[",
        '"secret":{',
        "\\",
        '"token":"',
        "a=",
        "<a",
        "<",
        "a",
        "eyJ",
        "eyJ-",
        "eyJaaaaaaaa.",
        "-----BEGIN ",
        '"\\u0041",',
        "://",
        "://a:",
        "?a",
        "?token=",
        "/bot1234567",
        "/services/T",
    ):
        for kind in (JSON, FORM, "text/xml"):
            hider.text(piece * (65_536 // len(piece)), kind)
            hider.text("<" + piece * (65_536 // len(piece)), kind)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"authorization", b"Bearer abcdef")], ["abcdef"]),
        ([(b"Authorization", b"abcdef")], ["abcdef"]),
        ([(b"x-api-key", b"abcdef"), (b"accept", b"text/html")], ["abcdef"]),
        ([(b"cookie", b"a=abcdef; b=x; c=ghijkl")], ["abcdef", "ghijkl"]),
        ([(b"authorization", b"Basic !!")], []),
        ([(b"authorization", b"Basic bXktbmFtZTo=")], ["bXktbmFtZTo=", "my-name:", "my-name"]),
        ([(b"x-route-clone", b"github"), (b"idempotency-key", b"abcdef")], []),
    ],
)  # fmt: skip
def test_credentials_of_a_head(headers, expected):
    """Those long enough not to be a part of any word."""
    assert credentials(headers) == expected


def test_a_character_that_was_cut_in_two_is_still_text():
    """Otherwise the size of a large body would decide."""
    assert is_text(JSON, "{aä".encode()[:-1] * 1)
    assert not is_text(JSON, b"\xff\xff\xff\xff\xff\xff")


def record(number):
    return RecordedRequest(
        method="GET", path=f"/{number}", query="", session_id=None, clone=None, status=200,
        duration_ms=1.0, received_headers=(), clone_saw=None,
    )  # fmt: skip


def test_what_is_kept_is_bounded():
    """1,000 records, 16 MiB of bodies, of which the oldest go first; the numbers go on."""
    traffic = Traffic(Redactor([]), [])
    body = b"x" * 100_000
    for number in range(1, 1502):
        kept = traffic.add(record(number), [(b"authorization", b"Bearer token-%d" % number)], body)
        kept.begin({"headers": []})
        kept.take({"body": body})

    assert traffic.last == 1501
    assert [each["number"] for each in traffic.after(0)] == list(range(502, 1502))
    assert traffic.one(501) is None
    assert traffic.one(502)["requestBody"]["note"] == "no longer kept"
    assert traffic.one(1501)["path"] == "/1501"
    # The last word's end is missing, which may be of a secret.
    assert len(traffic.one(1501)["responseBody"]["text"]) == 65_536 - 4_096
    held = sum(len(each.request.content) + len(each.response.content) for each in traffic._kept)
    assert held == traffic._bytes <= traffic_module._MAX_BODIES
    assert len(traffic._seen) == 200


def test_a_stream_is_shown_as_far_as_it_came():
    """Somebody may look while the response is still being sent."""
    traffic = Traffic(Redactor([]), [])
    kept = traffic.add(record(1), [], b"")
    kept.begin({"headers": [(b"content-type", b"text/event-stream")]})
    kept.take({"body": b"data: 1\n"})
    assert traffic.one(1)["responseBody"]["text"] == "data: 1\n"
    kept.take({"body": b"data: 2\n"})
    assert traffic.one(1)["responseBody"]["text"] == "data: 1\ndata: 2\n"


def test_only_the_page_of_this_server_may_look(archal):
    """Another site's page, and a name that points here, are refused."""
    send(f"{archal.api_url}/auth/me")
    for path in ("/", "/_archal/requests", "/_archal/requests/1", "/_archal/page.js"):
        assert send(archal.api_url + path, headers={"Origin": "https://evil.example"}).status == 403
        assert send(archal.api_url + path, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert send(archal.api_url + path, headers={"Host": "evil.example"}).status in {400, 403}


def test_stopping_takes_no_time_worth_naming(archal):
    """Also with connections that are kept alive; the bound is generous, `tests/benchmarks/stop.py` measures."""
    import http.client  # noqa: PLC0415

    took = []
    for _ in range(5):
        local = LocalArchal().start()
        connections = [
            http.client.HTTPConnection("127.0.0.1", int(local.api_url.rpartition(":")[2]))
            for _ in range(10)
        ]
        for connection in connections:
            connection.request("GET", "/auth/me")
            connection.getresponse().read()
        started = time.perf_counter()
        local.stop()
        took.append(time.perf_counter() - started)
        for connection in connections:
            connection.close()
    assert sorted(took)[2] < 0.1
