"""Event streams that misbehave: no call is held longer than its budget, and none takes another's answer."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from support.faults.client import LATE

from archal_lambda import (
    AsyncClones,
    Clones,
    McpError,
    ProtocolError,
    RequestTimeout,
    ResponseTooLarge,
    RetryPolicy,
    Settings,
)
from archal_lambda.errors import ConnectionLost, TransportError
from archal_lambda.mcp import _servers
from archal_lambda.testing.faulty_server import FaultServer

BUDGET = 0.4  # seconds
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.fixture(autouse=True)
def nothing_learnt():
    _servers._servers.clear()


def result(number, text="done"):
    content = [{"type": "text", "text": text}]
    return {"jsonrpc": "2.0", "id": number, "result": {"content": content}}


def event(message, end=b"\n"):
    return b"event: message" + end + b"data: " + json.dumps(message).encode() + end + end


def stream(write, *, chunked=False):
    """A script that answers each request with a stream; `write` gives its pieces by the request's number."""

    def script(conn, _index):
        while True:
            request = conn.read_request()
            number = json.loads(request.body).get("id")
            conn.send(HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
            for piece in write(number):
                if callable(piece):
                    piece(conn)
                else:
                    conn.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if not chunked:
                return
            conn.send(b"0\r\n\r\n")

    return script


def client(server, **options):
    settings = Settings(clone_urls={"svc": f"{server.origin}/svc/api"}, token="t")
    return Clones(settings, **options)


def hold(conn):
    conn.hold()


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a tool, one way and the other."""

    def call(server, *, timeout=20.0, progress=None, **options):
        settings = Settings(clone_urls={"svc": f"{server.origin}/svc/api"}, token="t")
        if request.param == "sync":
            with Clones(settings, **options) as clones:
                return clones["svc"].mcp.call("tool", timeout=timeout, progress=progress)

        async def main():
            async with AsyncClones(settings, **options) as clones:
                return await clones["svc"].mcp.call("tool", timeout=timeout, progress=progress)

        return asyncio.run(main())

    return call


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_may_be_cut_anywhere(call, chunked, end, size):
    def write(number):
        text = b"\xef\xbb\xbf: hello" + end + event(result(number, "wörd\n\u2028"), end)
        return [text[at : at + size] for at in range(0, len(text), size)]

    with FaultServer(stream(write, chunked=chunked)) as server:
        assert call(server).text == "wörd\n\u2028"


def test_the_answer_ends_the_call_though_the_stream_stays_open(call):
    with FaultServer(stream(lambda number: [event(result(number)), hold])) as server:
        started = time.monotonic()
        assert call(server).text == "done"
        assert time.monotonic() - started < LATE


def test_comments_for_ever_do_not_hold_a_call(call):
    def write(_number):
        for _ in range(10_000):
            yield b": ping\n\n"
            yield lambda conn: conn.pause(0.01)

    with FaultServer(stream(write)) as server:
        started = time.monotonic()
        with pytest.raises(RequestTimeout) as caught:
            call(server, timeout=BUDGET)
        assert time.monotonic() - started < BUDGET + LATE
        assert caught.value.sent is True
        assert len(server.requests) == 1  # never sent again


@pytest.mark.parametrize("first", [b"", b"event: message\ndata: {\n", b": x\n"])
def test_a_stalled_stream_costs_the_budget(call, first):
    with FaultServer(stream(lambda _: [first or b":\n", hold])) as server:
        started = time.monotonic()
        with pytest.raises(RequestTimeout):
            call(server, timeout=BUDGET)
        assert time.monotonic() - started < BUDGET + LATE
        assert len(server.requests) == 1


def test_another_requests_answer_is_not_taken(call):
    def write(number):
        wrong = result(number + 1), result(str(number)), {"jsonrpc": "2.0"}
        return [*map(event, wrong), event(result(number))]

    with FaultServer(stream(write)) as server:
        assert call(server).text == "done"


def test_of_two_answers_the_first_counts(call):
    with FaultServer(
        stream(lambda number: [event(result(number)) + event(result(number, "second"))])
    ) as server:
        assert call(server).text == "done"


def test_a_stream_without_an_answer_is_an_error(call):
    with FaultServer(
        stream(lambda _: [b"data: {}\n\n", b"data: no JSON\n\n"], chunked=True)
    ) as server:
        with pytest.raises(ConnectionLost, match="before the answer") as caught:
            call(server)
        assert caught.value.sent is True
        assert len(server.requests) == 1


def test_an_answer_without_its_empty_line_is_read_at_the_end(call):
    with FaultServer(
        stream(lambda number: [event(result(number)).rstrip(b"\n")], chunked=True)
    ) as server:
        assert call(server).text == "done"


def test_a_reset_in_the_stream_is_a_lost_connection(call):
    with FaultServer(stream(lambda _: [b"data: {", lambda conn: conn.reset()])) as server:
        with pytest.raises(TransportError) as caught:
            call(server)
        assert isinstance(caught.value, ConnectionLost)
        assert caught.value.sent is True
        assert len(server.requests) == 1


def test_a_stream_has_the_limit_of_any_response(call):
    def write(_number):
        while True:
            yield b"data: " + b"x" * 65_536 + b"\n\n"

    with FaultServer(stream(write)) as server, pytest.raises(ResponseTooLarge):
        call(server, max_response_bytes=1_000_000)


def test_a_large_event_in_small_pieces_takes_linear_time(call):
    def write(number):
        text = event(result(number, "x" * 4_000_000))
        return [text[at : at + 4096] for at in range(0, len(text), 4096)]

    with FaultServer(stream(write)) as server:
        started = time.process_time()
        assert len(call(server).text) == 4_000_000
        assert time.process_time() - started < 5


def test_a_servers_requests_are_answered_while_the_stream_is_read(call):
    """A ping by nothing, anything else by an error: this client offers nothing."""

    def script(conn, index):
        request = conn.read_request()
        body = json.loads(request.body)
        if index == 0:
            conn.send(HEAD + b"\r\n")
            conn.send(event({"jsonrpc": "2.0", "id": "p", "method": "ping"}))
            conn.send(event({"jsonrpc": "2.0", "id": 9, "method": "roots/list", "params": {}}))
            ends = time.monotonic() + 5
            while len(server.requests) < 3 and time.monotonic() < ends:
                time.sleep(0.01)
            conn.send(event(result(body["id"])))
            return
        while True:
            conn.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            conn.read_request()

    with FaultServer(script) as server:
        assert call(server).text == "done"
    ping, roots = [json.loads(one.body) for one in server.requests[1:]]
    assert ping == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (roots["id"], roots["error"]["code"]) == (9, -32601)
    assert all(one.target == "/svc/mcp" for one in server.requests)
    assert {one.header("x-route-authorization") for one in server.requests} == {"Bearer t"}


def test_foreign_progress_and_notifications_are_skipped(call):
    told = []

    def write(number):
        progress = {"progressToken": number, "progress": 1, "total": 2}
        for params in (progress | {"progressToken": "x"}, progress, {"progress": 3}):
            yield event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        yield event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": 1}})
        yield event(result(number))

    with FaultServer(stream(write)) as server:
        call(server, progress=lambda *step: told.append(step))
    assert told == [(1.0, 2.0)]


@pytest.mark.parametrize(
    "failure", [ZeroDivisionError, BrokenPipeError, TimeoutError, StopIteration, RequestTimeout]
)
def test_an_error_of_the_callers_progress_is_reported_and_breaks_nothing(call, caplog, failure):
    """Whatever it is, it is none of the connection's, and the tool does not run again for it."""

    def write(number):
        for progress in (1, 10**400, 2):
            params = {"progressToken": number, "progress": progress}
            yield event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        yield event(result(number))

    def breaks(*_step):
        raise (
            failure("private")
            if failure is not RequestTimeout
            else RequestTimeout("private", phase="body", sent=False)
        )

    with FaultServer(stream(write)) as server:
        assert call(server, progress=breaks, retry=RetryPolicy(attempts=3)).text == "done"
        assert len(server.requests) == 1
    (told,) = caplog.records
    assert failure.__name__ in told.getMessage()
    assert "private" not in told.getMessage()


def test_a_progress_callback_may_use_the_client(call):
    """Its failure is not the outer call's."""
    url = "http://127.0.0.1:9/svc/api"  # nobody listens

    def write(number):
        params = {"progressToken": number, "progress": 1}
        yield event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        yield event(result(number))

    def calls(*_step):
        with Clones(Settings(clone_urls={"dead": url}, token="t")) as other:
            other["dead"].get("/x", timeout=0.5)

    with FaultServer(stream(write)) as server:
        assert call(server, progress=calls, retry=RetryPolicy(attempts=3)).text == "done"
        assert len(server.requests) == 1


def test_a_reply_that_nobody_takes_holds_the_answer_for_a_second_at_most(call):
    """And there is no second one; a server may ask as often as it likes."""

    def script(conn, index):
        request = conn.read_request()
        body = json.loads(request.body)
        if index:
            conn.hold()
            return
        conn.send(HEAD + b"\r\n")
        for number in range(40):
            conn.send(event({"jsonrpc": "2.0", "id": f"p{number}", "method": "ping"}))
        ends = time.monotonic() + 5
        while len(server.requests) < 2 and time.monotonic() < ends:
            time.sleep(0.01)
        conn.send(event(result(body["id"])))

    with FaultServer(script) as server:
        started = time.monotonic()
        assert call(server, timeout=10.0).text == "done"
        assert time.monotonic() - started < 1 + LATE
        assert len(server.requests) == 2


def test_a_stream_is_sent_sixteen_replies_at_most(call):
    def script(conn, index):
        request = conn.read_request()
        body = json.loads(request.body)
        while index:
            conn.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            conn.read_request()
        conn.send(HEAD + b"\r\n")
        for number in range(40):
            conn.send(event({"jsonrpc": "2.0", "id": f"p{number}", "method": "ping"}))
        ends = time.monotonic() + 5
        while len(server.requests) < 17 and time.monotonic() < ends:
            time.sleep(0.01)
        conn.send(event(result(body["id"])))

    with FaultServer(script) as server:
        assert call(server).text == "done"
        assert len(server.requests) == 17


@pytest.mark.parametrize("code", [-32600, -32602, -32000, -32001, -32002])
def test_an_error_of_a_tool_that_ran_is_not_taken_for_a_refusal(call, code):
    """Even where such a code is what a server of the handshake era says of a request that stands alone."""

    def write(number):
        params = {"progressToken": "x", "progress": 1}
        yield event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        error = {"code": code, "message": "it broke"}
        yield event({"jsonrpc": "2.0", "id": number, "error": error})

    with FaultServer(stream(write)) as server:
        with pytest.raises(McpError) as caught:
            call(server)
        assert (caught.value.code, caught.value.detail) == (code, "it broke")
        assert len(server.requests) == 1


def test_text_that_was_cut_in_a_character_is_read(call):
    def write(number):
        text = json.dumps(result(number)).replace("done", "cut \\ud83d")
        return [b"data: " + text.encode() + b"\n\n", hold]

    with FaultServer(stream(write)) as server:
        assert call(server).text == "cut \ufffd"


def test_a_tool_call_that_may_have_arrived_is_not_repeated(call):
    def script(conn, _index):
        conn.read_request()
        conn.reset()

    with FaultServer(script) as server:
        with pytest.raises(ConnectionLost) as caught:
            call(server, retry=RetryPolicy(attempts=5))
        assert caught.value.sent is True
        assert len(server.requests) == 1


def test_a_malformed_response_is_refused_as_any_other(call):
    def script(conn, _index):
        conn.read_request()
        conn.send(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n")

    with FaultServer(script) as server, pytest.raises(ProtocolError):
        call(server)


def test_the_connection_of_a_stream_left_open_is_not_used_again():
    with FaultServer(stream(lambda number: [event(result(number)), hold], chunked=True)) as server:
        with client(server) as clones:
            for _ in range(3):
                assert clones["svc"].mcp.call("tool").text == "done"
        assert server.connections == 3


def test_the_connection_of_a_stream_that_ended_is_used_again():
    with FaultServer(
        stream(lambda number: [event({"jsonrpc": "2.0"}), event(result(number))], chunked=True)
    ) as server:
        with client(server) as clones:
            for _ in range(3):
                assert clones["svc"].mcp.call("tool").text == "done"
        assert len(server.requests) == 3
