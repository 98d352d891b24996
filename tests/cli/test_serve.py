"""`archal-lambda serve`, over HTTP: the repository's own template, and small ones with odd functions."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from archal_lambda.cli import _front
from archal_lambda.invoke import Outcome
from archal_lambda.invoke.routes import Route

MAIN = [sys.executable, "-c", "from archal_lambda.cli import main; main()", "serve", "--port", "0"]
ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds; everything ends much earlier
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Timeout: 10}}
Resources:
  Link: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler, FunctionUrlConfig: {AuthType: NONE}}}
  Slow:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.handler, Timeout: 1, FunctionUrlConfig: {AuthType: AWS_IAM}}
  Rest:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Events:
        One: {Type: Api, Properties: {Path: "/items/{id}", Method: get}}
        All: {Type: Api, Properties: {Path: "/files/{path+}", Method: ANY, RestApiId: !Ref Own}}
  Http:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Events:
        One: {Type: HttpApi, Properties: {Path: "/things/{name}", Method: POST}}
        Fixed: {Type: HttpApi, Properties: {Path: /things/fixed, Method: POST}}
  Own: {Type: AWS::Serverless::Api, Properties: {StageName: live, BinaryMediaTypes: [image~1*]}}
  Silent: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler}}
"""
HANDLER = """
import json, os, sys, time
from pathlib import Path

def handler(event, context):
    wish = (event.get("queryStringParameters") or {}).get("wish", "echo")
    return globals()[wish](event)

def echo(event):
    return {"statusCode": 200, "body": json.dumps(event)}

def bare(event):
    return {"hello": "world"}

def fail(event):
    raise LookupError("of the handler")

def leave(event):
    os._exit(3)

def wait(event):
    time.sleep(60)

def inject(event):
    return {"statusCode": 200, "headers": {"x": "1\\r\\nset-cookie: a=b"}}

def whole(event):
    return {"statusCode": 418, "headers": {"Content-Type": "image/png"}, "body": "/w==", "isBase64Encoded": True}

def cookies(event):
    return {"statusCode": 204, "cookies": ["a=1", "b=2"], "body": "nobody gets it"}

def together(event):
    Path(f"here-{os.getpid()}").touch()
    until = time.monotonic() + 8
    while len(list(Path().glob("here-*"))) < 2:
        if time.monotonic() > until:
            return "alone"
        time.sleep(0.01)
    return "together"

def held(event):
    Path("pid").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        Path("cleaned").touch()

def stubborn(event):
    try:
        held(event)
    finally:
        time.sleep(60)
"""


class Served:
    """A running `archal-lambda serve`."""

    def __init__(self, folder, *arguments):
        # A process group of its own, so that a signal reaches it alone; files, so that no pipe is kept open.
        self.out, self.err = folder / "serve.out", folder / "serve.err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*MAIN, *arguments], stdout=out, stderr=err, cwd=folder, start_new_session=True
            )
        until = time.monotonic() + PATIENCE
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", self.out.read_text())):
            assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < until
            time.sleep(0.01)
        self.port = int(found[1])

    def ask(self, method, target, body=None, **headers):
        """Ask; give status, headers and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, named)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    def event(self, method, target, body=None, **headers):
        """Ask; give the event that the function got."""
        status, _, content = self.ask(method, target, body, **headers)
        assert status == 200, content
        return json.loads(content)

    def stop(self):
        """Interrupt it; give its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@pytest.fixture
def serve():
    """Start one, which ends with the test."""
    running = []

    def start(folder, *arguments):
        served = Served(folder, *arguments)
        running.append(served)
        return served

    yield start
    for served in running:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the template and its handler."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "app.py").write_text(HANDLER)
    return folder


@pytest.fixture(scope="module")
def served(project):
    """One that runs for all tests of the module."""
    running = Served(project)
    yield running
    assert running.stop() == 0


def test_the_handlers_of_the_repository_on_one_local_archal(serve, tmp_path):
    """Both ways to CreateRepo lead to the same GitHub; the function's own answers come back."""
    served = serve(tmp_path, "-t", str(ROOT / "template.yaml"), "--local")
    body = '{"name": "served"}'

    made, _, content = served.ask("POST", "/repos", body, content_type="application/json")
    again, *_ = served.ask("POST", "/CreateRepo/", body)
    bad, _, reason = served.ask("POST", "/CreateRepo", "{")

    assert (made, json.loads(content)["full_name"]) == (201, "testuser/served")
    assert (again, bad) == (422, 400)
    assert b"JSON" in reason
    assert served.stop() == 0
    assert "-> github" in served.err.read_text()
    assert "with a local Archal at http://127.0.0.1:" in served.out.read_text()


def test_seeds_and_clones_of_the_local_archal(serve, project):
    """As with `invoke --local`."""
    served = serve(project, "--local", "--clone", "github", "--seed", "github=small-project")
    assert served.ask("GET", "/Link")[0] == 200
    assert served.stop() == 0


def test_the_table_of_routes(served):
    """Each with its function and shape, and what is not checked."""
    lines = served.out.read_text().splitlines()
    assert [re.split(r"  +", line) for line in lines[1:]] == [
        ["ANY", "/Link/{proxy+}", "Link", "function-url"],
        ["ANY", "/Slow/{proxy+}", "Slow", "function-url", "AWS_IAM is not checked"],
        ["GET", "/items/{id}", "Rest", "rest-api"],
        ["ANY", "/files/{path+}", "Rest", "rest-api"],
        ["POST", "/things/{name}", "Http", "http-api"],
        ["POST", "/things/fixed", "Http", "http-api"],
    ]


def test_a_function_url(served):
    """The folder with its name is its host; what is below it is the path."""
    event = served.event("POST", "/Link/a%20b/c?x=1&x=2", "{}", content_type="application/json")

    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b/c", "x=1&x=2")
    assert (event["routeKey"], event["body"]) == ("$default", "{}")
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert served.event("GET", "/Link")["rawPath"] == "/"
    assert served.event("GET", "/Link/")["rawPath"] == "/"


def test_a_rest_api(served):
    """Resource, parameters and stage are the template's."""
    one = served.event("GET", "/items/a%20b")
    rest = served.event("PATCH", "/files/a/b/c")

    assert (one["resource"], one["pathParameters"]) == ("/items/{id}", {"id": "a%20b"})
    assert one["requestContext"]["stage"] == "Prod"
    assert (rest["resource"], rest["pathParameters"]) == ("/files/{path+}", {"path": "a/b/c"})
    assert (rest["requestContext"]["stage"], rest["httpMethod"]) == ("live", "PATCH")


@pytest.mark.parametrize(
    ("target", "accept", "content"),
    [
        ("/files/x", "image/png", b"\xff"),
        ("/files/x", "text/html, image/png", b"/w=="),
        ("/items/1", "image/png", b"/w=="),
    ],
)
def test_a_rest_api_undoes_base64_for_declared_types_alone(served, target, accept, content):
    """Of the API, by what is accepted first."""
    assert served.ask("GET", f"{target}?wish=whole", accept=accept)[2] == content


def test_an_http_api(served):
    """The exact path goes before the one with a parameter."""
    one = served.event("POST", "/things/a%20b", "x", cookie="a=1; b=2")

    assert (one["routeKey"], one["pathParameters"]) == ("POST /things/{name}", {"name": "a b"})
    assert one["cookies"] == ["a=1", "b=2"]
    assert (one["body"], one["isBase64Encoded"]) == ("eA==", True)
    assert served.event("POST", "/things/fixed")["routeKey"] == "POST /things/fixed"


@pytest.mark.parametrize("target", ["/", "/items", "/items/a/b", "/files/", "/Silent/", "/Linked"])
def test_what_no_route_has(served, target):
    status, _, content = served.ask("GET", target)
    assert (status, json.loads(content)) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    ("target", "wish", "status", "content"),
    [
        ("/Link", "bare", 200, b'{"hello":"world"}'),
        ("/files/x", "bare", 502, b'{"message": "Internal server error"}'),
        ("/Link", "fail", 502, b"Internal Server Error"),
        ("/things/x", "fail", 500, b'{"message":"Internal Server Error"}'),
        ("/files/x", "fail", 502, b'{"message": "Internal server error"}'),
        ("/Link", "leave", 502, b"Internal Server Error"),
        ("/Slow", "wait", 502, b"Internal Server Error"),
        ("/Link", "inject", 502, b"Internal Server Error"),
        ("/Link", "whole", 418, b"\xff"),
        ("/things/x", "cookies", 204, b""),
        ("/files/x", "cookies", 502, b'{"message": "Internal server error"}'),
    ],
)
def test_results_and_failures(served, target, wish, status, content):
    """As AWS answers, whatever the function does."""
    found, headers, body = served.ask("POST", f"{target}?wish={wish}")

    assert (found, body) == (status, content)
    assert "a=b" not in str(headers.get_all("set-cookie"))
    if wish == "cookies" and status == 204:
        assert headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_the_log_says_what_the_caller_is_not_told(served):
    """The function's own traceback, the end of its process, and a result of the wrong form; never a query."""
    for wish in ("fail", "leave", "wait"):
        served.ask("GET", f"/Slow?wish={wish}&q=secret-of-mine")
    served.ask("GET", "/items/1?wish=bare")
    log = served.err.read_text()

    assert "[ERROR] LookupError: of the handler" in log
    assert "in fail" in log
    assert "Slow: the process ended with exit code 3" in log
    assert "Slow: Task timed out after 1.00 seconds" in log
    assert "Rest: the result is not what a rest-api takes" in log
    assert re.search(r"^GET    /items/1  502  \d+ ms  Rest$", log, re.MULTILINE)
    assert "secret-of-mine" not in log


@pytest.mark.parametrize(
    ("target", "size", "kind", "status"),
    [
        ("/Link", 6 * 1024 * 1024 + 1, "text/plain", 413),
        ("/Link", 5 * 1024 * 1024, "text/plain", 200),
        ("/Link", 5 * 1024 * 1024, "image/png", 413),
        ("/things/x", 10 * 1024 * 1024 + 1, "text/plain", 413),
        ("/things/x", 7 * 1024 * 1024, "text/plain", 413),
    ],
)
def test_limits_of_a_request(served, target, size, kind, status):
    """Before it is an event and after: base64 makes it longer."""
    found, *_ = served.ask("POST", f"{target}?wish=bare", b"x" * size, content_type=kind)
    assert found == status


@pytest.mark.parametrize("target", ["/Link#part", "*", "http://evil.test/Link", "//Link"])
def test_an_odd_target_runs_nothing(served, target):
    """Nor does it fail the server."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    connection._validate_path = lambda url: None
    with contextlib.closing(connection):
        connection.request("OPTIONS", target)
        status = connection.getresponse().status
    assert status in {400, 403, 404}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.test"},
        {"host": "evil.test:3000"},
        {"host": "127.0.0.1.evil.test"},
        {"origin": "https://evil.test"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://localhost.evil.test"},
    ],
    ids=str,
)
def test_another_sites_page_runs_nothing(served, headers):
    """Whose name points here, or whose form is sent here."""
    status, _, content = served.ask("POST", "/Link?wish=bare", "a=1", **headers)
    assert (status, b"hello" in content) == (403, False)


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:8080"])
def test_a_page_of_this_machine_may_ask(served, origin):
    """The front end under development has another port."""
    assert served.ask("POST", "/Link", origin=origin)[0] == 200


def test_changed_code_counts_at_once(served, project):
    """Each request is a new process."""
    (project / "app.py").write_text(HANDLER.replace("world", "again"))
    try:
        assert served.ask("GET", "/Link?wish=bare")[2] == b'{"hello":"again"}'
    finally:
        (project / "app.py").write_text(HANDLER)


def test_functions_run_side_by_side(served):
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda _: served.ask("GET", "/Link?wish=together")[2], range(2))
        assert list(found) == [b"together", b"together"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_ends_the_functions_too(serve, tmp_path, number):
    """They clean up first, and none is left."""
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("Timeout: 10", "Timeout: 100"))
    (tmp_path / "app.py").write_text(HANDLER)
    served = serve(tmp_path)
    asking = threading.Thread(target=swallowed, args=(served, "/Link?wish=held"))
    asking.start()
    pid = int(written(tmp_path / "pid"))

    served.process.send_signal(number)

    assert served.process.wait(PATIENCE) == 0
    asking.join(PATIENCE)
    assert (tmp_path / "cleaned").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_second_interruption_ends_them_at_once(serve, tmp_path):
    """Whatever they are still doing."""
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("Timeout: 10", "Timeout: 100"))
    (tmp_path / "app.py").write_text(HANDLER)
    served = serve(tmp_path)
    asking = threading.Thread(target=swallowed, args=(served, "/Link?wish=stubborn"))
    asking.start()
    pid = int(written(tmp_path / "pid"))
    begun = time.monotonic()

    served.process.send_signal(signal.SIGINT)
    until = time.monotonic() + PATIENCE
    while not (tmp_path / "cleaned").exists():
        assert time.monotonic() < until
        time.sleep(0.01)

    assert served.stop() == 0
    assert time.monotonic() - begun < 8  # seconds; a function has ten to end by itself
    asking.join(PATIENCE)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def swallowed(served, target):
    """Ask, whatever becomes of it."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        served.ask("GET", target)


def written(path):
    """Wait for a file with something in it."""
    until = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return path.read_text()


def test_the_only_function_url_has_the_root(serve, tmp_path):
    """And its folder, too."""
    (tmp_path / "template.yaml").write_text(
        "Resources:\n  Only: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler,"
        " FunctionUrlConfig: {AuthType: NONE}}}\n"
    )
    (tmp_path / "app.py").write_text(HANDLER)
    served = serve(tmp_path)

    assert served.event("GET", "/")["rawPath"] == "/"
    assert served.event("GET", "/a/b")["rawPath"] == "/a/b"
    assert served.event("GET", "/Only/a")["rawPath"] == "/a"


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """An empty folder, where the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("template", "arguments", "code", "message"),
    [
        ("Resources: {}", [], 2, "has no function with HTTP"),
        (TEMPLATE.replace("FunctionUrlConfig", "X").replace("Api", "X"), [], 2, "no function with"),
        ("[", [], 2, "is not a SAM template"),
        (TEMPLATE, ["-t", "none.yaml"], 2, "none.yaml is not a file"),
        (TEMPLATE, ["--clone", "slack"], 2, "--clone needs --local"),
        (TEMPLATE, ["--seed", "github=empty"], 2, "--seed needs --local"),
        (TEMPLATE, ["--port", "99999"], 2, "99999"),
        (TEMPLATE.replace("app.handler", "app"), [], 2, "has no Handler"),
        (TEMPLATE.replace("Method: POST", "PayloadFormatVersion: '1.0'"), [], 2, "only 2.0"),
        (TEMPLATE, ["--local", "--clone", "none"], 1, "none"),
    ],
    ids=[
        "empty",
        "no HTTP",
        "no template",
        "no file",
        "clone",
        "seed",
        "port",
        "handler",
        "1.0",
        "x",
    ],
)
def test_what_cannot_be_served(  # noqa: PLR0917 - fixtures and the columns of a table
    cli, in_a_folder, template, arguments, code, message
):
    """One line says why."""
    (in_a_folder / "template.yaml").write_text(template)

    found, _, err = cli("serve", *arguments)

    assert found == code, err
    assert message in err


def test_an_occupied_port(cli, served):
    code, _, err = cli("serve", "--port", str(served.port))
    assert (code, "cannot listen on" in err or "in use" in err) == (1, True)


@pytest.mark.parametrize(("shape", "status"), [("http-api", 503), ("rest-api", 504)])
def test_an_api_does_not_wait_for_ever(monkeypatch, shape, status):
    """The function goes on, as on AWS."""
    monkeypatch.setitem(_front._WAIT, shape, 0.05)
    release, lines = threading.Event(), []

    def run(name, event):
        release.wait(PATIENCE)
        return Outcome(result={})

    front = _front.Front([Route("Late", shape, "ANY", "/late")], 80, run, lines.append)

    async def ask():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/late")

    try:
        assert asyncio.run(ask()).status_code == status
    finally:
        release.set()
        front.close()
