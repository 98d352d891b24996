"""Servers of the user's behind the route proxy: what goes through, and what becomes of what they say."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from support.standin import Control, Route, send

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal, UnsupportedError


class Upstream:
    """A server that reads a request to its end, keeps it, and says what a test gave it."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.heads, self.bodies = [], []
        self.more = threading.Event()
        self.left = threading.Event()
        self.rest = None  # what is said once `more` is set
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[peer], daemon=True).start()

    def _answer(self, peer):
        with peer, peer.makefile("rb") as file:
            while head := self._head(file):
                self.heads.append(head)
                length = [
                    int(line.partition(b":")[2])
                    for line in head.splitlines()
                    if line.lower().startswith(b"content-length:")
                ]
                self.bodies.append(file.read(*length) if length else b"")
                peer.sendall(self.said)
                if self.rest is not None:
                    self.more.wait(10)
                    if self.rest:
                        peer.sendall(self.rest)
                        return
                    peer.settimeout(10)
                    if not peer.recv(1):
                        self.left.set()
                    return

    @staticmethod
    def _head(file):
        lines = []
        try:
            while (line := file.readline()) not in {b"\r\n", b""}:
                lines.append(line)
        except OSError:
            return b""
        return b"".join(lines)

    def close(self):
        self._socket.close()
        self.more.set()

    def fields(self, name):
        """The values of a field of the last request."""
        pairs = [line.partition(b":") for line in self.heads[-1].splitlines()[1:]]
        return [value.strip() for key, _, value in pairs if key.lower() == name]


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.close()


@contextmanager
def behind(upstream, path="", name="acme"):
    url = f"http://127.0.0.1:{upstream.port}{path}"
    with LocalArchal(clones=[], upstreams={name: url}) as archal:
        yield archal, Route(archal.base_url(name), archal.token)


@pytest.mark.parametrize("target", ["/a%2Fb//c/%C3%A9?q=%20&q=+&x", "/", "/.well-known/x?", "/a;b"])
def test_path_and_query_go_as_they_are(upstream, target):
    """Byte for byte."""
    with behind(upstream) as (_, call):
        assert call("GET", target).body == b"ok"
    assert upstream.heads[-1].split()[1].decode() == target.removesuffix("?")


def test_fields_go_through(upstream):
    """Repeated ones and the service's credential; not Archal's token, nor what is of one connection."""
    with behind(upstream) as (archal, call):
        call(
            "POST",
            "/x",
            body=b"\x00\xff",
            X_One="1",
            Cookie="a=b",
            TE="trailers",
            Connection="keep-alive, x-mine",
            X_Mine="1",
            X_Archal_Trace="1",
            User_Agent="me",
        )
        token = archal.token.encode()
    assert upstream.bodies[-1] == b"\x00\xff"
    assert upstream.fields(b"x-one") == [b"1"]
    assert upstream.fields(b"cookie") == [b"a=b"]
    assert upstream.fields(b"user-agent") == [b"me"]
    assert upstream.fields(b"authorization") != []
    assert upstream.fields(b"host") == [f"127.0.0.1:{upstream.port}".encode()]
    for name in (b"te", b"x-mine", b"x-archal-trace", b"x-route-authorization", b"accept-encoding"):
        assert upstream.fields(name) == []
    assert token not in upstream.heads[-1]


def test_a_chunked_body_arrives_whole(upstream):
    """With its length."""
    with behind(upstream) as (archal, call):
        parts = urlsplit(call.base)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
        headers = {"x-route-authorization": f"Bearer {archal.token}"}
        connection.request(
            "PUT", f"{parts.path}/x", iter([b"ab", b"c"]), headers, encode_chunked=True
        )
        assert connection.getresponse().read() == b"ok"
        connection.close()
    assert upstream.bodies[-1] == b"abc"
    assert upstream.fields(b"transfer-encoding") == []


def test_a_response_comes_as_it_is(upstream):
    """Coded bytes, repeated fields, no cookie kept; one date."""
    packed = gzip.compress(b"hello")
    upstream.said = (
        b"HTTP/1.1 200 Fine\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: x-hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(packed):x}\r\n".encode()
        + packed
        + b"\r\n0\r\n\r\n"
    )
    with behind(upstream) as (_, call):
        answer = call("GET", "/")
        assert answer.body == packed
        assert [value for name, value in answer.fields if name == "set-cookie"] == ["a=1", "b=2"]
        assert len([1 for name, _ in answer.fields if name.lower() == "date"]) == 1
        assert answer.header("x-hop") is None
        call("GET", "/")
        assert upstream.fields(b"cookie") == []


@pytest.mark.parametrize(
    ("method", "said", "status"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200),
        ("HEAD", b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n", 404),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', 304),
        (
            "GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
            201,
        ),
    ],
)
def test_responses_without_a_body(upstream, method, said, status):
    """And the next request on the same connection is unharmed."""
    upstream.said = said
    with behind(upstream) as (_, call):
        for _ in range(3):
            answer = call(method, "/x")
            assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("path", ["", "/deep/api"])
@pytest.mark.parametrize(
    ("location", "public"),
    [
        ("http://127.0.0.1:{port}{path}/next?a=1", "{base}/next?a=1"),
        ("{path}/next", "{base}/next"),
        ("//127.0.0.1:{port}{path}", "{base}"),
        ("next", "next"),
        ("https://elsewhere.example/next", "https://elsewhere.example/next"),
        ("http://127.0.0.1:{port}9{path}/x", "http://127.0.0.1:{port}9{path}/x"),
    ],
)
def test_redirects_and_links_point_to_the_clone(upstream, path, location, public):
    """None is followed."""
    place = location.format(port=upstream.port, path=path)
    upstream.said = (
        f'HTTP/1.1 302 Found\r\nLocation: {place}\r\nLink: <{place}>; rel="next", <x>\r\n'
        "Content-Length: 0\r\n\r\n"
    ).encode()
    with behind(upstream, path) as (archal, call):
        answer = call("GET", "/first")
        wanted = public.format(base=archal.base_url("acme"), port=upstream.port, path=path)
        assert answer.status == 302
        assert answer.header("location") == wanted
        assert answer.header("link") == f'<{wanted}>; rel="next", <x>'
    assert len(upstream.heads) == 1
    assert upstream.heads[-1].split()[1].decode() == f"{path}/first"


@pytest.mark.parametrize(
    ("name", "path", "asked", "seen"),
    [
        ("discord", "", "/channels/1", "/api/v10/channels/1"),
        ("discord", "", "/api/v10/channels/1", "/api/v10/channels/1"),
        ("discord", "", "/api/v9/channels/1", "/api/v9/channels/1"),
        ("discord", "/", "/api/v10/channels/1", "/channels/1"),
        ("discord", "/mine/", "/channels/1", "/mine/channels/1"),
        ("slack", "", "/chat.postMessage", "/api/chat.postMessage"),
        ("slack", "", "/oauth/v2/authorize", "/oauth/v2/authorize"),
        ("slack", "/api", "/api/chat.postMessage", "/api/chat.postMessage"),
        ("ramp", "", "/bills", "/developer/v1/bills"),
        ("jira", "", "/rest/api/3/issue", "/rest/api/3/issue"),
    ],
)
def test_both_spellings_of_a_path_reach_the_server(upstream, name, path, asked, seen):
    """Without a path in the URL it is laid out as the service's host; with one, the API begins there."""
    with behind(upstream, path, name) as (_, call):
        assert call("GET", asked).status == 200
    assert upstream.heads[-1].split()[1].decode() == seen


def test_a_stream_is_passed_on_as_it_comes(upstream):
    """Not held back until its end."""
    upstream.said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    upstream.rest = b"3\r\ntwo\r\n0\r\n\r\n"
    with behind(upstream) as (archal, call):
        response = opened(archal, call)
        assert response.read1(10) == b"one"
        upstream.more.set()
        assert response.read() == b"two"
        response.close()


def test_who_leaves_ends_the_request(upstream):
    """The server sees it, although it had more to say."""
    upstream.said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    upstream.rest = b""
    upstream.more.set()
    with behind(upstream) as (archal, call):
        response = opened(archal, call)
        assert response.read1(10) == b"one"
        response.close()
        assert upstream.left.wait(5)


def opened(archal, call):
    """A response of which the head has come; closing it closes the connection."""
    parts = urlsplit(call.base)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    headers = {"x-route-authorization": f"Bearer {archal.token}", "Connection": "close"}
    connection.request("GET", f"{parts.path}/stream", headers=headers)
    return connection.getresponse()


def test_a_cut_body_is_not_taken_for_a_whole_one(upstream):
    """The caller's is cut, too."""
    upstream.said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    upstream.rest = b"5\r\ntw"
    upstream.more.set()
    with behind(upstream) as (archal, call):
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            opened(archal, call).read()
        upstream.rest, upstream.said = None, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        assert call("GET", "/").status == 200


@pytest.mark.parametrize("said", [b"", b"not HTTP\r\n\r\n", None])
def test_no_answer_is_502_of_archals(upstream, said):
    """From one that closes, speaks something else, or is not there."""
    upstream.said = said or b""
    upstream.rest = b"\r\n"
    upstream.more.set()
    if said is None:
        upstream.close()
    with behind(upstream) as (archal, call):
        answer = call("GET", "/secret")
        assert (answer.status, answer.json["code"]) == (502, "clone_failed")
        # The session lives on: the server may come back.
        session = Control(archal.api_url, archal.token)("GET", f"/api/sessions/{archal.session_id}")
        assert session.json["status"] == "running"


def test_a_connection_that_was_closed_meanwhile_is_not_used(upstream):
    """Nothing is lost to it."""
    upstream.said = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with behind(upstream) as (_, call):
        assert [call("POST", f"/{n}").status for n in range(20)] == [200] * 20
    assert len(upstream.heads) == 20


def test_many_at_once(upstream):
    """2,016 requests from 32 threads: each has its response."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with behind(upstream) as (archal, call):
        parts = urlsplit(call.base)

        def work(number):
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
            headers = {"x-route-authorization": f"Bearer {archal.token}"}
            found = 0
            for turn in range(63):
                connection.request("POST", f"{parts.path}/{number}/{turn}", b"x", headers)
                found += connection.getresponse().read() == b"ok"
            connection.close()
            return found

        with ThreadPoolExecutor(32) as pool:
            assert sum(pool.map(work, range(32))) == 2016
    assert len({head.split()[1] for head in upstream.heads}) == len(upstream.heads) == 2016


def test_its_state_is_its_own(upstream):
    """What cannot be done says so."""
    with behind(upstream) as (archal, call):
        call("GET", "/")
        with pytest.raises(UnsupportedError, match="the acme clone"):
            archal.snapshot("acme")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9000",
        "ftp://127.0.0.1",
        "http://",
        "http://user:pw@127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:x",
        "http://127.0.0.1?q=secret",
        "http://127.0.0.1/#x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/é",
        "http://127.0.0.1\r\nX: y",
        "http://[::1",
        "http://-x",
        "",
        None,
    ],
)
def test_a_wrong_url_is_refused(url):
    """The error names the clone and what it should be, and not what was given."""
    with pytest.raises(ConfigurationError, match="upstreams for 'acme' must be an http") as caught:
        LocalArchal(upstreams={"acme": url})
    assert "secret" not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["HTTP://LocalHost:9000/", "https://[::1]", "http://jira.internal/a%20b/"]
)
def test_a_right_url_is_taken(url):
    """Any host: the user names it."""
    assert "acme" in LocalArchal(upstreams={"acme": url}).routes


@pytest.mark.parametrize("name", ["Acme", "a/b", "", "../x"])
def test_a_wrong_name_is_refused(name):
    """It has to be a clone id."""
    with pytest.raises(ConfigurationError, match="clone"):
        LocalArchal(upstreams={name: "http://127.0.0.1:9"})


def test_a_name_stands_for_one_thing():
    """Not for a server and an application."""
    with pytest.raises(ConfigurationError, match="upstreams names 'x'"):
        LocalArchal(upstreams={"x": "http://127.0.0.1:9"}, extra_clones={"x": lambda _base: None})


def test_a_server_may_stand_for_a_clone_there_is(upstream):
    """As for GitHub."""
    with behind(upstream, name="github") as (archal, call):
        assert call("GET", "/user").body == b"ok"
        assert archal.environ["ARCHAL_SESSION_ID"]
        assert send(archal.base_url("github") + "/user").status == 401


def test_an_upstream_is_left_out_where_the_state_of_all_is_meant():
    """A fixture that resets everything must not fail for a server whose state is its own."""
    with LocalArchal(upstreams={"jira": "http://127.0.0.1:9"}) as archal:
        archal.reset()
        mark = archal.snapshot()
        assert archal.diff(mark) == []
        assert set(archal.state()) == {"github"}
        with pytest.raises(UnsupportedError, match="jira"):
            archal.snapshot("jira")


@pytest.mark.parametrize("factory", [None, "app", 5])
def test_an_extra_clone_needs_a_factory(factory):
    with pytest.raises(ConfigurationError, match="extra_clones"):
        LocalArchal(extra_clones={"mine": factory})


def test_the_form_of_an_id_is_what_is_named():
    with pytest.raises(ConfigurationError, match="lower-case"):
        LocalArchal(upstreams={"Jira X": "http://127.0.0.1:9"})


def test_what_an_upstream_says_too_much_is_nobodys_answer(upstream):
    """Its connections serve one request each."""
    with behind(upstream) as (_, call):
        surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        upstream.said = b"HTTP/1.1 204 No Content\r\n\r\n" + surplus
        assert call("GET", "/").status == 204
        upstream.said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        assert call("GET", "/").body == b"ok"


def test_a_length_beside_a_coding_does_not_count(upstream):
    upstream.said = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
    )
    with behind(upstream) as (_, call):
        answer = call("GET", "/")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("content-length") is None


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_none_is_makes_a_502(upstream, status):
    upstream.said = b"HTTP/1.1 %d Odd\r\nContent-Length: 2\r\n\r\nok" % status
    with behind(upstream) as (_, call):
        answer = call("GET", "/")
    assert (answer.status, answer.json["code"]) == (502, "clone_failed")


@pytest.mark.parametrize(
    "head",
    [
        "POST {} HTTP/1.0\r\n",
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close, content-length, host\r\n",
    ],
)
def test_host_and_length_are_never_missing(upstream, head):
    """HTTP/1.0 may leave out the host, and `Connection` may name what it should not."""
    with behind(upstream) as (archal, call):
        parts = urlsplit(call.base)
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as peer:
            said = head.format(f"{parts.path}/x")
            said += f"x-route-authorization: Bearer {archal.token}\r\nContent-Length: 2\r\n\r\nab"
            peer.sendall(said.encode())
            assert b" 200 OK\r\n" in peer.recv(1000)
    assert upstream.fields(b"host") == [f"127.0.0.1:{upstream.port}".encode()]
    assert upstream.bodies == [b"ab"]
