"""What `invoke` and `harness` are given: events from anywhere, limits, and a question before the task."""

from __future__ import annotations

import io
import json
import sys

import pytest

HANDLERS = """
def echo(event, context):
    return event
def outer(event, context):
    return inner()
def inner():
    raise LookupError("no such thing")
async def awaited(event, context):
    return "never"
def never(event, context):
    raise SystemExit("it was run")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with handlers, and one that cannot be imported for each reason."""
    (tmp_path / "mine.py").write_text(HANDLERS)
    (tmp_path / "wrong.py").write_text("def handler(event, context)\n    pass\n")
    (tmp_path / "lacking.py").write_text("def load():\n    import nowhere_at_all\nload()\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('cannot start')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_an_event_file_may_have_a_byte_order_mark(cli, project, encoding):
    """Editors and shells of some systems write one."""
    (project / "event.json").write_text('{"name": "caf\xe9"}', encoding=encoding)

    code, out, _ = cli("invoke", "mine.echo", "-e", "event.json")

    assert (code, json.loads(out)) == (0, {"name": "caf\xe9"})


@pytest.mark.parametrize("content", [b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}', b' \n{"a": 1}\n'])
def test_an_event_is_read_from_stdin(cli, project, monkeypatch, content):
    """For `-`, as a file would be."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    code, out, _ = cli("invoke", "mine.echo", "-e", "-")

    assert (code, json.loads(out)) == (0, {"a": 1})


@pytest.mark.parametrize("text", ['{"inline": 1}', " [1, 2] ", "{}", '\ufeff{"inline": 1}'])
def test_an_event_is_written_as_it_is(cli, project, text):
    """JSON that begins like an object or a list is no file's name, with a byte order mark or without."""
    code, out, _ = cli("invoke", "mine.echo", "-e", text)

    assert (code, json.loads(out)) == (0, json.loads(text.removeprefix("\ufeff")))


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("{", "--event is not JSON"),
        ('{"\udcff', "--event is not JSON"),
        ("-", "stdin is not JSON"),
        ("none.json", "'none.json' does not exist"),
        (".", "is a directory"),
        ("wrong.py", "wrong.py is not JSON"),
        ("x" * 5000, "x"),
    ],
)
def test_an_event_that_is_none_is_one_line(cli, project, monkeypatch, event, message):
    """It is wrong usage, wherever it comes from."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("no JSON"))

    code, out, err = cli("invoke", "mine.echo", "-e", event)

    assert (code in {1, 2}, out) == (True, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["invoke", "harness"])
@pytest.mark.parametrize(
    ("name", "error", "places"),
    [
        ("mine.outer", "LookupError: no such thing", ["in outer", "in inner"]),
        ("broken.handler", "RuntimeError: cannot start", ["broken.py"]),
        ("lacking.handler", "Runtime.ImportModuleError: Unable to import", ["in load", "<module>"]),
        ("wrong.handler", "Runtime.UserCodeSyntaxError: Syntax error", ["wrong.py", "line 1", "^"]),
    ],
)
def test_where_a_handler_failed_is_shown(  # noqa: PLR0917 - fixtures and a table's columns
    cli, project, monkeypatch, command, name, error, places
):
    """The frames of the user's own code stand on stderr, and none of ours or of the import system."""
    monkeypatch.setenv("AGENT_TASK", "x")

    code, _, err = cli(command, name)

    *trace, last = err.splitlines()
    assert code == 1
    assert trace[0].startswith(f"[ERROR] {error}")
    assert trace[1] == "Traceback (most recent call last):"
    assert all(place in "\n".join(trace) for place in places)
    assert "importlib" not in err
    assert "runner.py" not in err
    assert last.startswith(f"archal-lambda: error: {name}: ")


def test_an_async_handler_is_said_to_be_one(cli, project):
    """Lambda would say less."""
    code, out, err = cli("invoke", "mine.awaited")

    assert code == 1
    assert json.loads(out)["errorType"] == "Runtime.MarshalError"
    assert "the handler is an async function" in err
    assert "RuntimeWarning" not in err


@pytest.mark.parametrize("task", ["", "Count to three."])
def test_a_preflight_runs_nothing(cli, project, monkeypatch, task):
    """Older versions of `archal run` ask first whether the agent starts; there is no task yet."""
    monkeypatch.setenv("ARCHAL_PREFLIGHT", "1")
    monkeypatch.setenv("AGENT_TASK", task)
    monkeypatch.setenv("AGENT_METRICS_FILE", str(project / "metrics.json"))

    assert cli("harness", "mine.never") == (0, "", "")
    assert not (project / "metrics.json").exists()


@pytest.mark.parametrize("flag", ["", "0"])
def test_no_preflight_is_a_run(cli, project, monkeypatch, flag):
    """Only 1 asks."""
    monkeypatch.setenv("ARCHAL_PREFLIGHT", flag)
    monkeypatch.setenv("AGENT_TASK", "x")

    assert cli("harness", "mine.never")[0] == 1


@pytest.mark.parametrize("name", ["Timeout", "MemorySize"])
@pytest.mark.parametrize("number", ["10241", "1000000000000", "9" * 5000])
def test_a_limit_beyond_lambdas_own_is_one_line(cli, project, name, number):
    """However many digits it has."""
    (project / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
        f'    Properties: {{Handler: mine.echo, {name}: "{number}"}}\n'
    )

    code, out, err = cli("invoke", "F")

    assert (code, out) == (2, "")
    assert f"F has a {name} of more than " in err
    assert err.count("\n") == 1


def test_a_number_of_thousands_of_digits_is_one_line(cli, project):
    """YAML itself would read it."""
    (project / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
        f"    Properties: {{Handler: mine.echo, Timeout: {'9' * 5000}}}\n"
    )

    code, out, err = cli("invoke", "F")

    assert (code, out) == (2, "")
    assert err.count("\n") == 1


def test_lambdas_own_limits_are_taken(cli, project):
    """900 seconds and 10,240 megabytes, with zeros in front or without."""
    (project / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
        '    Properties: {Handler: mine.echo, Timeout: "0900", MemorySize: 10240}\n'
    )

    assert cli("invoke", "F")[0] == 0
