"""The handles below `/_archal/`: what they do for programs in other languages, and what they refuse web pages."""

from __future__ import annotations

import json
import socket
import subprocess
from urllib.parse import urlsplit

import pytest
from support import supply
from support.fakes import Clock
from support.standin import Control, Route, send

from archal_lambda.local import LocalArchal

REPO = "/repos/testuser/webshop"
GUARDS = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def world():
    async def mute(scope, receive, send_message):
        raise AssertionError

    def broken():
        raise LookupError("a secret of its own")

    mute.snapshot = broken
    extra = {"mute": lambda _base: mute}
    with LocalArchal(seeds={"github": "small-project"}, extra_clones=extra) as running:
        yield running


@pytest.fixture
def archal(world):
    world.reset()
    return world


@pytest.fixture
def rest(archal):
    return Route(archal.base_url("github"), archal.token)


@pytest.fixture
def ask(archal):
    def ask(method, path, body=None, headers=(JSON,)):
        fields = headers if method == "POST" else ()
        return send(f"{archal.api_url}/_archal/{path}", method, json_body=body, headers=fields)

    return ask


def refused(answer, status, code):
    """In Archal's envelope."""
    assert (answer.status, answer.json["code"]) == (status, code), answer.body
    assert set(answer.json) == {"error", "code", "message"}
    return answer.json["message"]


def test_the_world_is_told(archal, ask):
    """Sessions, clones with their seeds and times, and marks."""
    mark = ask("POST", "snapshots", {"clone": "github"}).json["mark"]
    world = ask("GET", "world").json
    assert world["session"] == archal.session_id
    assert archal.session_id in [one["sessionId"] for one in world["sessions"]]
    github, mute = world["clones"]
    assert github["id"], github["baseUrl"] == ("github", archal.base_url("github"))
    assert github["seed"] == "small-project"
    assert "stale-issues" in github["seeds"]
    assert mute["seeds"] == ["empty"]
    assert abs(github["now"] - mute["now"]) < 60
    assert world["marks"][-1] == mark


def test_reset_snapshot_diff_and_restore(archal, ask, rest):
    """As the methods of `LocalArchal`, and for the same state."""
    mark = ask("POST", "snapshots", {"clone": "github"}).json["mark"]
    assert rest("PATCH", f"{REPO}/issues/1", {"state": "closed"}).status == 200
    (change,) = ask("GET", f"snapshots/{mark}/diff").json["changes"]
    assert set(change) == {"clone", "kind", "key", "before", "after", "text"}
    assert (change["before"]["state"], change["after"]["state"]) == ("open", "closed")
    assert change["text"].startswith("github issue testuser/webshop#1: state open -> closed")
    answer = ask("POST", f"snapshots/{mark}/restore", {})
    assert (answer.status, answer.body) == (204, b"")
    assert ask("GET", f"snapshots/{mark}/diff").json == {"changes": []}
    rest("PATCH", f"{REPO}/issues/1", {"state": "closed"})
    assert ask("POST", "reset", {"clone": "github"}).status == 204
    assert archal.state("github") == ask("GET", "state?clone=github").json
    assert ask("GET", f"snapshots/{mark}/diff").json == {"changes": []}
    assert ask("POST", "reset").status == 204  # nothing at all is an empty object


def test_marks_taken_over_http_are_kept(archal, ask):
    """Nobody has an object for them; those of Python are there as long as it has theirs."""
    kept = ask("POST", "snapshots", {"clone": "github"}).json["mark"]
    mine = archal.snapshot("github")
    assert ask("POST", f"snapshots/{mine.name}/restore", {}).status == 204
    del mine
    marks = ask("GET", "world").json["marks"]
    assert kept in marks


def test_the_clock_is_put(archal, ask):
    """To a moment, or forward."""
    assert ask("POST", "clock", {"clone": "github", "now": 1e9}).json == {"now": 1e9}
    assert 0 <= archal.clock("github").now - 1e9 < 60
    moved = ask("POST", "clock", {"clone": "github", "forward": 86_400}).json["now"]
    assert 86_400 <= moved - 1e9 < 86_460


def test_another_session_is_meant_by_its_id(archal, ask, rest):
    """Without one it is the ready session."""
    control = Control(archal.api_url, archal.token)
    other = control.create(seeds={"github": "empty"}).json["sessionId"]
    found = ask("GET", f"state?session={other}").json
    assert found["github"]["repository"] == {}
    mark = ask("POST", "snapshots", {"session": other}).json["mark"]
    assert ask("GET", f"world?session={other}").json["marks"] == [mark]
    assert mark not in ask("GET", "world").json["marks"]
    refused(ask("GET", f"snapshots/{mark}/diff"), 404, "mark_not_found")
    assert ask("GET", f"snapshots/{mark}/diff?session={other}").json == {"changes": []}
    rest("PATCH", f"{REPO}/issues/1", {"state": "closed"})
    assert ask("POST", "reset", {"session": other}).status == 204
    assert rest("GET", f"{REPO}/issues/1").json["state"] == "closed"
    control("DELETE", f"/api/sessions/{other}")
    refused(ask("POST", "reset", {"session": other}), 404, "session_ended")
    assert ask("GET", f"world?session={other}").json["session"] == other


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "state?clone=slack", None, 404, "clone_not_found"),
        ("GET", "state?session=ses-none", None, 404, "session_not_found"),
        ("GET", "world?session=ses-none", None, 404, "session_not_found"),
        ("GET", "state?clone=mute", None, 501, "not_supported"),
        ("POST", "snapshots", {"clone": "mute"}, 500, "handle_failed"),
        ("POST", "snapshots/m0/restore", {}, 404, "mark_not_found"),
        ("GET", "snapshots/m0/diff", None, 404, "mark_not_found"),
        ("GET", "snapshots/%2e%2e/diff", None, 404, "mark_not_found"),
        ("POST", "reset", {"clone": "slack"}, 404, "clone_not_found"),
        ("POST", "reset", {"clone": 7}, 400, "invalid_request"),
        ("POST", "reset", {"clones": ["github"]}, 400, "invalid_request"),
        ("POST", "reset", [], 400, "invalid_request"),
        ("POST", "snapshots/m0/restore", {"x": 1}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "mute", "now": 1}, 501, "not_supported"),
        ("POST", "clock", {"now": 1}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "github"}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "github", "now": 1, "forward": 1}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "github", "forward": -1}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "github", "now": -1}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "github", "forward": 1e300}, 400, "invalid_request"),
        ("POST", "clock", {"clone": "github", "now": "1"}, 400, "invalid_request"),
        ("GET", "nothing", None, 404, "not_found"),
        ("GET", "", None, 404, "not_found"),
        ("GET", "reset/", None, 404, "not_found"),
        ("GET", "..%2fworld", None, 404, "not_found"),
    ],
)
def test_what_is_refused_says_so_in_archals_envelope(  # noqa: PLR0917 - the columns of a table
    ask, method, path, body, status, code
):
    """And nothing of a clone's own words."""
    message = refused(ask(method, path, body), status, code)
    assert "secret" not in message


def test_a_clone_is_named_that_cannot(ask):
    """With what it cannot do."""
    assert "the mute clone cannot show its state" in ask("GET", "state?clone=mute").json["message"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"clone": "\xed\xa0\x80"}'])
def test_a_body_that_is_not_json(archal, body):
    """Is the caller's mistake."""
    url = f"{archal.api_url}/_archal/reset"
    refused(send(url, "POST", body=body, headers=[JSON]), 400, "invalid_json")


def test_a_body_above_the_limit(archal):
    """Is read to its end, dropped and refused."""
    url = f"{archal.api_url}/_archal/reset"
    body = b" " * 10_000_001
    refused(send(url, "POST", body=body, headers=[JSON]), 413, "payload_too_large")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "reset", {"POST"}),
        ("HEAD", "reset", {"POST"}),
        ("OPTIONS", "reset", {"POST"}),
        ("PUT", "reset", {"POST"}),
        ("TRACE", "world", {"GET", "HEAD"}),
        ("OPTIONS", "world", {"GET", "HEAD"}),
        ("POST", "world", {"GET", "HEAD"}),
        ("DELETE", "snapshots", {"POST"}),
    ],
)
def test_another_method_is_told_which_to_use(archal, method, path, allowed):
    """As the standard says; a preflight is no exception."""
    headers = [JSON, ("Access-Control-Request-Method", "POST")]
    answer = send(f"{archal.api_url}/_archal/{path}", method, headers=headers)
    assert answer.status == 405
    assert {name.strip() for name in answer.header("allow").split(",")} == allowed
    guarded(answer.fields)


def test_head_is_get_without_a_body(archal):
    """With the same fields."""
    url = f"{archal.api_url}/_archal/state?clone=github"
    head, get = send(url, "HEAD"), send(url)
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == get.header("content-length")
    guarded(head.fields)


def guarded(fields):
    """Every response is kept by nobody, and shared with no other origin."""
    found = {name.lower(): value for name, value in fields}
    assert found | GUARDS == found
    assert not any(name.startswith("access-control-") for name in found)


def raw(archal, head, *lines, body=b""):
    """Send a request as an attacker's browser, or an attacker, would; give status, fields and body."""
    port = urlsplit(archal.api_url).port
    text = "\r\n".join([head, *lines, f"Content-Length: {len(body)}", "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.sendall(text.replace("PORT", str(port)).encode("latin-1") + body)
        received = b""
        while chunk := peer.recv(65_536):
            received += chunk
    top, _, content = received.partition(b"\r\n\r\n")
    status, *fields = top.decode("latin-1").split("\r\n")
    pairs = [tuple(part.strip() for part in field.split(":", 1)) for field in fields]
    return int(status.split()[1]), pairs, content


@pytest.fixture
def untouched(archal, rest):
    """An issue that no attack may put back."""
    assert rest("PATCH", f"{REPO}/issues/1", {"title": "mine"}).status == 200
    yield
    assert rest("GET", f"{REPO}/issues/1").json["title"] == "mine"


POST = "POST /_archal/reset HTTP/1.1"
GET = "GET /_archal/state?clone=github HTTP/1.1"


@pytest.mark.parametrize(
    "hosts",
    [
        ["Host: evil.example"],
        ["Host: evil.example:PORT"],
        ["Host: localhost.evil.example:PORT"],
        ["Host: 127.0.0.1.evil.example:PORT"],
        ["Host: 127.0.0.1:PORT.evil.example"],
        ["Host: evil.example@127.0.0.1:PORT"],
        ["Host: localhost.:PORT"],
        ["Host: 127.0.0.1"],
        ["Host: localhost"],
        ["Host: 127.0.0.1:1"],
        ["Host: 0.0.0.0:PORT"],
        ["Host: 127.1:PORT"],
        ["Host: 2130706433:PORT"],
        ["Host: [::ffff:127.0.0.1]:PORT"],
        ["Host: 127.0.0.2:PORT"],
        ["Host:"],
        ["Host: 127.0.0.1:PORT, evil.example"],
        ["Host: 127.0.0.1:PORT", "Host: evil.example"],
        ["Host: evil.example", "X-Forwarded-Host: 127.0.0.1:PORT"],
        ["Host: evil.example", "Forwarded: host=127.0.0.1:PORT"],
    ],
)
@pytest.mark.parametrize("head", [POST, GET])
def test_a_name_that_was_pointed_here_is_refused(archal, untouched, head, hosts):
    """DNS rebinding: the browser says which name it asked for."""
    status, fields, content = raw(
        archal, head, *hosts, "Content-Type: application/json", body=b"{}"
    )
    assert status in {400, 403}
    assert b"webshop" not in content
    if status == 403:
        guarded(fields)


def test_no_host_at_all_is_refused(archal, untouched):
    """As HTTP/1.0 allowed."""
    head = POST.replace("1.1", "1.0")
    assert raw(archal, head, "Content-Type: application/json", body=b"{}")[0] == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "[::1]:PORT"]
)
def test_the_servers_own_names_are_good(archal, host):
    """And so is a page that came from there."""
    origin = f"Origin: http://{host.replace('LOCALHOST', 'localhost')}"
    same = "Sec-Fetch-Site: same-origin"
    status, fields, _ = raw(archal, GET, f"Host: {host}", origin, same)
    assert status == 200
    guarded(fields)
    lines = (f"Host: {host}", origin, same, "Content-Type: application/json; charset=utf-8")
    assert raw(archal, POST, *lines, body=b"{}")[0] == 204


@pytest.mark.parametrize(
    "line",
    [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: https://127.0.0.1:PORT",
        "Origin: http://127.0.0.1",
        "Origin: http://127.0.0.1:1",
        "Origin: http://localhost:PORT",
        "Origin: http://127.0.0.1:PORT.evil.example",
        "Origin: http://127.0.0.1:PORT/",
        "Origin:",
        "Origin: http://127.0.0.1:PORT\r\nOrigin: http://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site",
        "Sec-Fetch-Site:",
    ],
)
@pytest.mark.parametrize("head", [POST, GET, "OPTIONS /_archal/reset HTTP/1.1"])
def test_another_sites_page_is_refused(archal, untouched, head, line):
    """Whatever it may be called; another spelling of this address may be another server's."""
    lines = ("Host: 127.0.0.1:PORT", line, "Content-Type: application/json")
    status, fields, content = raw(archal, head, *lines, body=b"{}")
    assert status == 403
    assert json.loads(content)["code"] == "forbidden"
    guarded(fields)


@pytest.mark.parametrize(
    "types",
    [
        [],
        ["Content-Type: text/plain"],
        ["Content-Type: application/x-www-form-urlencoded"],
        ["Content-Type: multipart/form-data; boundary=application/json"],
        ["Content-Type: text/plain; application/json"],
        ["Content-Type: text/plain, application/json"],
        ["Content-Type: application/json, text/plain"],
        ["Content-Type: application/json5"],
        ["Content-Type:"],
        ["Content-Type: application/json", "Content-Type: text/plain"],
        ["Content-Type: text/plain", "Content-Type: application/json"],
    ],
)
def test_what_a_form_can_send_is_refused(archal, untouched, types):
    """CSRF by a browser that names neither origin nor site: no form can send JSON."""
    status, fields, content = raw(archal, POST, "Host: 127.0.0.1:PORT", *types, body=b"{}")
    assert (status, json.loads(content)["code"]) == (415, "unsupported_media_type")
    guarded(fields)


@pytest.mark.parametrize(
    "head",
    [
        "POST /_archal//reset HTTP/1.1",
        "POST //_archal/reset HTTP/1.1",
        "POST /%5farchal/reset HTTP/1.1",
        "POST /./_archal/reset HTTP/1.1",
        "POST /x/../_archal/reset HTTP/1.1",
        "POST http://127.0.0.1:PORT/_archal/reset HTTP/1.1",
        "POST /_archal/reset/ HTTP/1.1",
        "POST /_ARCHAL/reset HTTP/1.1",
        "GET /_archal/reset?_method=POST HTTP/1.1",
    ],
)
def test_another_spelling_of_a_path_leads_nowhere(archal, untouched, head):
    """There is one way in, and its checks are behind it."""
    for host in ("127.0.0.1:PORT", "evil.example"):
        lines = (f"Host: {host}", "X-HTTP-Method-Override: POST", "Content-Type: application/json")
        assert raw(archal, head, *lines, body=b"{}")[0] in {400, 403, 404, 405}


NODE = """
const [base] = process.argv.slice(1);
const post = (path, body = {}) => fetch(`${base}/_archal/${path}`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
});
const { mark } = await (await post('snapshots', { clone: 'github' })).json();
const { now } = await (await post('clock', { clone: 'github', forward: 60 })).json();
const reset = await post('reset', { clone: 'github' });
const { changes } = await (await fetch(`${base}/_archal/snapshots/${mark}/diff`)).json();
const state = await (await fetch(`${base}/_archal/state?clone=github`)).json();
const issues = Object.keys(state.github.issue).length;
console.log(JSON.stringify({ now, status: reset.status, changes, issues }));
"""


def test_a_program_in_another_language_has_the_handles(archal):
    """Node's own fetch, which is no browser."""

    def node():
        command = ["node", "--input-type=module", "-e", NODE, "--", archal.api_url]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return json.loads(ended.stdout)

    found = supply.obtained(node)
    assert found.pop("now") > 0
    assert found == {"status": 204, "changes": [], "issues": 3}


def test_handles_are_no_calls_of_archal(archal, ask):
    """They are not among the requests."""
    before = archal.requests
    ask("GET", "world")
    assert archal.requests == before


def test_a_session_that_ended_by_time(archal):
    """Is told, and cannot be asked."""
    clock = Clock(1_800_000_000.0)
    with LocalArchal(clock=clock) as other:
        clock.now += 200_000
        answer = send(f"{other.api_url}/_archal/state")
        refused(answer, 404, "session_ended")
        assert send(f"{other.api_url}/_archal/world").status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"clone": "github", "forward": 1e300}, "forward must be a time"),
        ({"clone": "github", "now": -1}, "now must be a time"),
        ({"clone": "github", "now": 1, "forward": 1}, "now or forward is needed, and not both"),
        ({"x" * 3_000: 1}, "unknown field"),
    ],
)
def test_a_refusal_names_the_key_in_few_words(ask, body, said):
    message = refused(ask("POST", "clock", body), 400, "invalid_request")
    assert said in message
    assert len(message) <= 300


def test_the_sessions_that_are_spoken_of_are_listed():
    """However many came after them."""
    with LocalArchal() as archal:
        control = Control(archal.api_url, archal.token)
        chosen, *others = [control.create().json["sessionId"] for _ in range(103)]
        sessions = send(f"{archal.api_url}/_archal/world?session={chosen}").json["sessions"]
        listed = [one["sessionId"] for one in sessions]
    assert listed == [archal.session_id, chosen, *others[-100:]]
