"""The command line, against the local Archal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archal_lambda import ArchalClient, ArchalError, SessionEndedError, Settings
from archal_lambda.clients.control import Sessions
from archal_lambda.local import LocalArchal

ROOT = Path(__file__).parents[2]
VARIABLES = re.compile(r"ARCHAL_\w+|AGENT_\w+")


def one_error(err):
    """Assert that stderr is one line of error, and give it."""
    (line,) = err.splitlines()
    assert line.startswith("archal-lambda: error: ")
    return line


def test_demo_shows_the_whole_way(cli):
    """The demo creates a repository, shows response, log and headers, and leaves no session."""
    code, out, _ = cli("demo")

    assert code == 0
    assert '"statusCode": 201' in out
    assert '"message":"clone call"' in out
    assert "authorization: present" in out
    assert "x-route-authorization: stripped" in out
    assert re.search(r"session ses-\w+ deleted", out)
    assert "\x1b[" not in out
    assert "Bearer" not in out


def test_invoke_a_function_of_the_template_locally(cli):
    """A logical id runs with the template's environment, and the requests are shown."""
    code, out, err = cli("invoke", "CreateRepo", "-e", "events/create_repo.json", "--local")

    assert code == 0
    assert json.loads(out)["statusCode"] == 201
    assert '"service":"archal-lambda"' in err
    assert "-> github" in err


def test_invoke_uses_the_environment_for_declared_variables(cli, archal):
    """Without --local the shell's values reach the variables that the template declares."""
    code, out, _ = cli("invoke", "CreateRepo", "-e", "events/create_repo.json")

    assert (code, json.loads(out)["statusCode"]) == (0, 201)
    assert archal.requests[-1].clone_saw is not None


@pytest.fixture
def handlers(tmp_path, monkeypatch):
    """A module of handlers in an otherwise empty folder."""
    (tmp_path / "mine.py").write_text(
        "import time\n"
        "print('while importing')\n"
        "def echo(event, context):\n"
        "    print('in the handler')\n"
        "    return [event, context.get_remaining_time_in_millis() > 0, context.function_name]\n"
        "def fails(event, context):\n"
        "    raise LookupError('no such thing')\n"
        "def marshal(event, context):\n"
        "    return {1, 2}\n"
        "def exits(event, context):\n"
        "    raise SystemExit(3)\n"
        "def slow(event, context):\n"
        "    time.sleep(30)\n"
    )
    (tmp_path / "broken.py").write_text("raise RuntimeError('cannot start')\n")
    (tmp_path / "template.yaml").write_text(
        "Globals: {Function: {Timeout: 1, Environment: {Variables: {A: !Ref X, B: b}}}}\n"
        "Resources:\n"
        "  Slow: {Type: 'AWS::Serverless::Function', Properties: {Handler: mine.slow}}\n"
        "  Table: {Type: 'AWS::DynamoDB::Table'}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_invoke_any_handler(cli, handlers):
    """module.function runs with the event; what it prints is log, what it returns is output."""
    (handlers / "e.json").write_text('{"a": 1}')

    code, out, err = cli("invoke", "mine.echo", "-e", "e.json")

    assert (code, json.loads(out)) == (0, [{"a": 1}, True, "local"])
    assert err == "while importing\nin the handler\n"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("mine.fails", "LookupError", "no such thing"),
        ("mine.marshal", "Runtime.MarshalError", "Object of type set is not JSON serializable"),
        ("mine.exits", "Runtime.ExitError", "exit code 3"),
        ("mine.nope", "Runtime.HandlerNotFound", "Handler 'nope' missing on module 'mine'"),
        ("none.nope", "Runtime.ImportModuleError", "Unable to import module 'none'"),
        ("broken.nope", "RuntimeError", "cannot start"),
        ("Slow", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ],
)
def test_a_failed_invocation_is_one_line_and_lambdas_error_object(
    cli, handlers, name, kind, message
):
    """A handler that fails gives the runtime's error object on stdout and exit code 1."""
    code, out, err = cli("invoke", name)

    assert code == 1
    assert json.loads(out)["errorType"] == kind
    assert message in json.loads(out)["errorMessage"]
    assert kind in one_error(err.splitlines()[-1])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("invoke", "Nope"), "no function Nope; it has Slow"),
        (("invoke", "Nope", "-t", "none.yaml"), "none.yaml is not a file"),
        (("invoke", "Nope", "-t", "mine.py"), "is not a SAM template"),
        (("invoke", "mine.echo", "-e", "mine.py"), "mine.py is not JSON"),
        (("invoke", "mine.echo", "-e", "none.json"), "does not exist"),
        (("call", "github"), "Missing argument"),
        (("call", "github", "GET", "/user", "-d", "{"), "--data must be JSON"),
        (("call", "github", "GET", "/user", "-d", "NaN"), "--data must be JSON"),
        (("call", "github", "GET", "/user", "-d", "[" * 99_999), "--data must be JSON"),
        (("call", "github", "GET", "/user", "-d", '"\udcff"'), "--data must be JSON"),
        (("invoke", "mine.echo", "-e", "deep.json"), "deep.json is not JSON"),
        (("invoke", ".echo"), "no function .echo"),
        (("nonsense",), "No such command"),
        (("harness", "mine.echo", "--timeout", "0"), "range"),
        (("session", "create", "--clone", "github", "--ttl", "0"), "range"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(cli, handlers, args, message):
    """What the user got wrong is said in one line."""
    (handlers / "deep.json").write_text("[" * 99_999)

    code, out, err = cli(*args)

    assert (code, out) == (2, "")
    assert message in one_error(err)


def test_without_a_command_help_is_shown(cli):
    """No command at all shows the list of commands."""
    code, out, _ = cli()

    assert code == 2
    assert "demo" in out


def test_call_carries_both_headers(cli, archal):
    """A POST with a body prints the response's body on stdout and its status on stderr."""
    code, out, err = cli(
        "call", "github", "post", "/user/repos", "-d", '{"name": "x"}', "--token", "t", "-i"
    )

    head, _, body = out.partition("\n\n")
    assert code == 0
    assert "content-type: application/json" in head.lower()
    assert json.loads(body)["full_name"] == "testuser/x"
    assert err.startswith("201  ")
    assert "x-route-authorization" in archal.requests[-1].received_headers


@pytest.mark.parametrize(("flags", "expected"), [((), 0), (("--fail",), 1)])
def test_a_clones_refusal_is_an_answer(cli, archal, flags, expected):
    """A 401 of the clone is printed; only --fail makes it an exit code."""
    code, out, err = cli("call", "github", "GET", "/user", *flags)

    assert code == expected
    assert json.loads(out)["message"] == "Requires authentication"
    assert err.startswith("401  ")


def test_a_route_rejection_is_an_error(cli, archal, monkeypatch):
    """Archal's own refusal is one line of error, without the token."""
    wrong = "wrong" + "-token"
    monkeypatch.setenv("AGENT_ROUTE_HEADERS", json.dumps({"x-route-authorization": wrong}))

    code, out, err = cli("call", "github", "GET", "/user?q=secret-query")

    assert (code, out) == (1, "")
    assert "status 401" in one_error(err)
    assert wrong not in err
    assert "secret-query" not in err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("call", "slack", "GET", "/x"), 1, "known clones: github"),
        (("call", "github", "GET", "/../x"), 2, "must not contain"),
        (("call", "github", "BREW", "/x"), 2, "method must be one of"),
        (("call", "github", "GET", "/x", "-H", "Host: evil"), 2, "belongs to the connection"),
        (("session", "get", "ses-none"), 1, "status 404"),
        (("session", "delete", "ses-none"), 1, "status 404"),
    ],
)
def test_refused_calls_are_one_line(cli, archal, args, code, message):
    """Errors of the library come out as one line each."""
    got, out, err = cli(*args)

    assert (got, out) == (code, "")
    assert message in one_error(err)


def test_call_reads_the_body_from_stdin(cli, archal, monkeypatch, tmp_path):
    """-d - takes the body from stdin."""
    path = tmp_path / "body.json"
    path.write_text('{"name": "from-stdin"}')
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        code, out, _ = cli("call", "github", "POST", "/user/repos", "-d", "-", "--token", "t")

    assert code == 0
    assert json.loads(out)["name"] == "from-stdin"


@pytest.mark.parametrize("data", ["-", '\ufeff{"name": "marked"}'])
def test_call_takes_a_byte_order_mark_off_the_body(cli, archal, monkeypatch, data):
    """RFC 8259, section 8.1: it may be ignored, and must not be sent."""
    stream = io.TextIOWrapper(io.BytesIO(b'\xef\xbb\xbf{"name": "marked"}'), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    code, out, _ = cli("call", "github", "POST", "/user/repos", "-d", data, "--token", "t")

    assert code == 0
    assert json.loads(out)["name"] == "marked"


def test_nothing_configured_is_one_line(cli):
    """Without settings the error names the variable."""
    code, _, err = cli("call", "github", "GET", "/user")

    assert code == 1
    assert "AGENT_CLONE_URLS" in one_error(err)


def test_env_hides_secrets_unless_asked(cli, archal):
    """The default output has markers for secrets, --show-secrets has the values."""
    _, hidden, note = cli("env")
    _, shown, quiet = cli("env", "--show-secrets")

    assert archal.token not in hidden
    assert "--show-secrets" in note
    assert f"export ARCHAL_TOKEN={archal.token}" in shown
    assert quiet == ""


def test_env_for_sam_quotes_json(cli, archal):
    """The sam form holds JSON objects as strings, under Parameters, and reads back."""
    _, out, _ = cli("env", "--format", "sam", "--show-secrets")

    variables = json.loads(out)["Parameters"]
    assert json.loads(variables["AGENT_CLONE_URLS"]) == {"github": archal.base_url("github")}
    assert Settings.from_env(variables).variables() == variables


def test_env_dotenv_has_no_export(cli, archal):
    """The dotenv form is plain assignments."""
    _, out, _ = cli("env", "--format", "dotenv")

    assert all(re.match(r"\w+=", line) for line in out.splitlines())


def test_env_without_settings_is_empty(cli):
    """Nothing set prints nothing."""
    assert cli("env") == (0, "\n", "")


def test_session_commands(cli, archal):
    """Create, get, list, wait and delete work one after the other."""
    _, out, _ = cli("session", "create", "--clone", "github", "--seed", "github:small-project")
    made = json.loads(out)["sessionId"]

    assert json.loads(cli("session", "get", made)[1])["resolvedSeeds"] == {
        "github": "small-project"
    }
    assert made in [
        json.loads(line)["sessionId"] for line in cli("session", "list")[1].splitlines()
    ]
    assert json.loads(cli("session", "wait", made)[1])["status"] == "running"
    assert cli("session", "delete", made) == (0, "", f"{made} is stopped\n")
    assert cli("session", "delete", made)[0] == 1


@pytest.mark.parametrize("seed", ["github", "github:", ":small-project", ""])
def test_session_create_refuses_a_seed_that_is_none(cli, archal, seed):
    """It is wrong usage, and nothing is created."""
    code, _, err = cli("session", "create", "--clone", "github", "--seed", seed)

    assert code == 2
    assert "is not CLONE:SEED" in one_error(err)
    assert archal.requests == ()


def start(*args):
    """Start a command whose stderr is a terminal; give the process and the terminal."""
    terminal, end = pty.openpty()
    # A shell leaves Ctrl-C ignored in what it starts in the background, these tests too.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listen}; from archal_lambda.cli import main; main()"
    command = [sys.executable, "-c", program, *args]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, env=environ, text=True)
    os.close(end)
    return process, terminal


def shown(terminal, text):
    """Read a terminal until it has shown a text, or its end; give all that was read."""
    seen = ""
    while text not in seen:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the program has ended
            break
        if not piece:
            break
        seen += piece.decode(errors="replace")
    return seen


@pytest.fixture
def slow_archal(monkeypatch):
    """A local Archal whose sessions take a while to start."""
    with LocalArchal(startup_delay=1.2) as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        yield local


def test_session_create_shows_how_long_it_waits(slow_archal):
    """On a terminal a line tells the state and the seconds; stdout has the running session only."""
    process, terminal = start("session", "create", "--clone", "github", "--wait")
    seen = shown(terminal, "nothing like this")
    out, _ = process.communicate(timeout=20)
    os.close(terminal)

    assert process.returncode == 0
    assert json.loads(out)["status"] == "running"
    assert "is starting" in seen
    assert "0:00:00" in seen
    assert "0:00:01" in seen


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_an_interrupted_wait_for_a_new_session_stops_it(slow_archal, number, code):
    """Nobody was told of it, and it would be billed."""
    process, terminal = start("session", "create", "--clone", "github", "--wait")
    assert "is starting" in shown(terminal, "is starting")
    process.send_signal(number)
    shown(terminal, "nothing like this")
    out, _ = process.communicate(timeout=20)
    os.close(terminal)

    assert (process.returncode, out) == (code, "")
    assert [call.method for call in slow_archal.requests][-1] == "DELETE"
    with ArchalClient.from_env(slow_archal.environ) as client:
        assert [one.session_id for one in client.sessions.list()] == [slow_archal.session_id]


def test_why_a_session_failed_is_said(cli, archal, monkeypatch):
    """In Archal's words; and that it could not be stopped, if so."""

    def fail(self, session_id, **_):
        raise SessionEndedError(session_id, "failed", "no capacity\x1b[2J\x07\nleft")

    def keep(self, session_id):
        raise ArchalError("not now")

    monkeypatch.setattr(Sessions, "wait_until_running", fail)
    monkeypatch.setattr(Sessions, "delete", keep)

    code, out, err = cli("session", "create", "--clone", "github", "--wait")

    assert (code, out) == (1, "")
    assert "is failed: no capacity [2J left" in one_error(err)
    assert "may still be billed: not now" in one_error(err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_serves_until_a_signal(cli, number, monkeypatch):
    """`local --json` prints one line when ready, serves, and ends cleanly on both signals."""
    command = [
        sys.executable,
        "-c",
        "from archal_lambda.cli import main; main()",
        "local",
        "--json",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        facts = json.loads(server.stdout.readline())
        for name, value in facts["environ"].items():
            monkeypatch.setenv(name, value)
        code, out, _ = cli("call", "github", "GET", "/user", "--token", "t")
        server.send_signal(number)
        _, err = server.communicate(timeout=10)

    assert set(facts) == {"api_url", "runtime_url", "token", "session_id", "environ"}
    assert (code, json.loads(out)["login"]) == (0, "testuser")
    assert server.returncode == 0
    assert re.search(r"GET +/github/api/user  200 .* -> github", err)
    assert facts["token"] not in err


def test_local_prints_exports(cli):
    """Without --json the variables come as lines for a shell."""
    command = [sys.executable, "-c", "from archal_lambda.cli import main; main()", "local"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        lines = [server.stdout.readline() for _ in range(7)]
        server.terminate()
        server.communicate(timeout=10)

    assert lines[0].startswith("# The local Archal runs at http://127.0.0.1:")
    assert all(line.startswith("export ") for line in lines[1:])


def test_an_occupied_port_is_one_line(cli, archal):
    """A port in use is said, not thrown."""
    code, _, err = cli("local", "--port", archal.api_url.rpartition(":")[2])

    assert code == 1
    assert one_error(err)


def test_without_the_extra_the_command_says_what_to_install():
    """A bare installation gets a hint instead of a traceback."""
    code = "import sys; sys.modules['click'] = None\nfrom archal_lambda.cli import main; main()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "pip install 'archal-lambda[local]'" in one_error(done.stderr)


@pytest.fixture
def agents(handlers):
    """Handlers that answer as agents, or do not."""
    (handlers / "agents.py").write_text(
        "def text(event, context):\n"
        "    print('a line of log')\n"
        "    return 'You asked: ' + event['task']\n"
        "def calls(event, context):\n"
        "    return {'text': 'done', 'calls': [{'method': 'GET', 'path': '/x', 'status': s}"
        " for s in (200, 404, None)]}\n"
        "def odd_calls(event, context):\n"
        "    return {'text': 'done', 'calls': [1, None, {'status': '200'}, {}, {'status': 200}]}\n"
        "def nothing(event, context):\n"
        "    return {'statusCode': 200}\n"
        "def number(event, context):\n"
        "    return 7\n"
        "def fails(event, context):\n"
        "    raise LookupError('no idea')\n"
    )
    return handlers


def test_harness_prints_one_object(cli, agents, monkeypatch):
    """The task reaches the handler; stdout is one JSON object, the log is on stderr."""
    monkeypatch.setenv("AGENT_TASK", "Count to three.")

    code, out, err = cli("harness", "agents.text")

    assert (code, json.loads(out)) == (0, {"text": "You asked: Count to three."})
    assert err.endswith("a line of log\n")


def test_harness_writes_metrics_and_trace(cli, agents, monkeypatch):
    """The two files are written where the variables are set."""
    monkeypatch.setenv("AGENT_TASK", "x")
    monkeypatch.setenv("AGENT_METRICS_FILE", str(agents / "metrics.json"))
    monkeypatch.setenv("AGENT_TRACE_FILE", str(agents / "trace.json"))

    assert cli("harness", "agents.calls")[0] == 0

    metrics = json.loads((agents / "metrics.json").read_text())
    trace = json.loads((agents / "trace.json").read_text())
    assert (metrics["toolCallCount"], metrics["toolErrorCount"]) == (3, 2)
    assert metrics["exitReason"] == "completed"
    assert trace["final"] == "done"
    assert [one["status"] for one in trace["events"]] == [200, 404, None]


def test_harness_counts_only_calls(cli, agents, monkeypatch):
    """What is not a call is left out; one without a status did not succeed."""
    monkeypatch.setenv("AGENT_TASK", "x")
    monkeypatch.setenv("AGENT_METRICS_FILE", str(agents / "metrics.json"))

    code, out, _ = cli("harness", "agents.odd_calls")

    assert (code, json.loads(out)) == (0, {"text": "done"})
    metrics = json.loads((agents / "metrics.json").read_text())
    assert (metrics["toolCallCount"], metrics["toolErrorCount"]) == (3, 2)


@pytest.mark.parametrize("variable", ["AGENT_METRICS_FILE", "AGENT_TRACE_FILE"])
def test_harness_names_the_file_it_cannot_write(cli, agents, monkeypatch, variable):
    """The variable and the path; there is no answer without what Archal asked for."""
    monkeypatch.setenv("AGENT_TASK", "x")
    monkeypatch.setenv(variable, str(agents / "none" / "file.json"))

    code, out, err = cli("harness", "agents.text")

    assert (code, out) == (1, "")
    assert f"{variable}: cannot write {agents}" in one_error(err.splitlines()[-1])


@pytest.mark.parametrize("timeout", ["0", "-5", "x"])
def test_harness_refuses_a_timeout_that_is_none(cli, agents, monkeypatch, timeout):
    """It is wrong usage."""
    monkeypatch.setenv("AGENT_TASK", "x")

    code, _, err = cli("harness", "agents.text", "--timeout", timeout)

    assert code == 2
    assert "--timeout" in one_error(err)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("agents.nothing", "must return text"),
        ("agents.number", "must return text"),
        ("agents.fails", "LookupError: no idea"),
    ],
)
def test_harness_fails_without_an_answer(cli, agents, monkeypatch, name, message):
    """No response means no stdout and a non-zero exit code; the metrics file says so."""
    monkeypatch.setenv("AGENT_TASK", "x")
    monkeypatch.setenv("AGENT_METRICS_FILE", str(agents / "metrics.json"))

    code, out, err = cli("harness", name)

    assert (code, out) == (1, "")
    assert message in one_error(err.splitlines()[-1])
    assert json.loads((agents / "metrics.json").read_text())["exitReason"] == "error"


def test_harness_needs_a_task(cli, agents):
    """Without AGENT_TASK the error names the variable."""
    code, _, err = cli("harness", "agents.text")

    assert code == 1
    assert "AGENT_TASK" in one_error(err)


def test_harness_runs_the_agent_of_the_examples(cli, archal, monkeypatch):
    """The example agent answers through the harness."""
    monkeypatch.setenv("AGENT_TASK", "How are my repositories doing?")

    code, out, _ = cli("harness", "archal_lambda.handlers.agent.handler")

    assert code == 0
    assert set(json.loads(out)) == {"text"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("env >&-", 1, "stdout and stderr must be open"),
        ("call github POST /user -d - <&-", 2, "--data - reads stdin, which is closed"),
    ],
)
def test_streams_that_the_shell_closed_are_one_line(archal, arguments, code, message):
    """Nothing to write to or read from is an error like others."""
    command = f"{sys.executable} -c 'import archal_lambda.cli as c; c.main()' {arguments}"

    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert ended.returncode == code
    assert message in one_error(ended.stderr.splitlines(keepends=True)[-1])


def test_a_local_archal_that_does_not_start_is_one_line(cli, monkeypatch):
    """What the stand-in says of itself is not a traceback either."""
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)

    code, out, err = cli("demo")

    assert (code, out) == (1, "")
    assert "the local Archal did not start" in one_error(err)
