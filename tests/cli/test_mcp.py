"""`archal-lambda mcp`, against the local Archal."""

from __future__ import annotations

import io
import json

import pytest

from archal_lambda import Clones


def test_tools_are_listed_a_line_each(cli, archal):
    code, out, err = cli("mcp", "github", "tools")

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert {"create_repository", "list_issues"} <= {line.split()[0] for line in lines}
    assert len({line.index(line.split()[1], len(line.split()[0])) for line in lines}) == 1


def test_tools_as_json_have_their_schemas(cli, archal):
    code, out, _ = cli("mcp", "github", "tools", "--json")

    tools = {one["name"]: one for one in json.loads(out)}
    assert code == 0
    assert tools["create_repository"]["inputSchema"]["required"] == ["name"]


def test_a_call_works_on_the_state_that_rest_shows(cli, archal):
    code, out, _ = cli("mcp", "github", "call", "create_repository", '{"name": "made-by-tool"}')

    assert code == 0
    assert "made-by-tool" in out
    with Clones.from_env() as clones:
        token = "gh" + "p_" + "x" * 36
        names = [one["name"] for one in clones["github"].get("/user/repos", token=token).json()]
    assert "made-by-tool" in names


def test_arguments_may_come_from_stdin(cli, archal, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"name": "from-stdin"}'))

    assert cli("mcp", "github", "call", "create_repository", "-")[0] == 0


def test_a_tool_that_fails_says_so(cli, archal):
    arguments = '{"owner": "nobody", "repo": "nothing", "issue_number": 1, "method": "get"}'
    code, out, err = cli("mcp", "github", "call", "issue_read", arguments)

    assert code == 1
    assert "Not Found" in out
    assert err == "archal-lambda: issue_read failed\n"


@pytest.mark.parametrize("arguments", ["", "[]", "{", "x" * 10, '"text"', "[" * 100_000])
def test_arguments_must_be_an_object(cli, archal, arguments):
    code, out, err = cli("mcp", "github", "call", "create_repository", arguments)

    assert (code, out) == (2, "")
    assert "ARGUMENTS must be a JSON object" in err


def test_a_refusal_is_one_line(cli, archal):
    code, out, err = cli("mcp", "github", "call", "no_such_tool")

    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("archal-lambda: error: tools/call no_such_tool: error -32602")


def test_a_clone_that_is_not_there_is_named(cli, archal):
    code, _, err = cli("mcp", "gitlab", "tools")

    assert code == 1
    assert "gitlab" in err


def test_a_whole_result_as_json(cli, archal):
    arguments = '{"name": "whole", "autoInit": true}'
    cli("mcp", "github", "call", "create_repository", arguments)
    read = '{"owner": "testuser", "repo": "whole", "path": "README.md"}'
    code, out, _ = cli("mcp", "github", "call", "get_file_contents", read, "--json")
    assert code == 0
    assert json.loads(out)["content"][1]["resource"]["text"].startswith("# whole")
    assert "# whole" in cli("mcp", "github", "call", "get_file_contents", read)[1]


def test_help_needs_no_settings(cli):
    assert cli("mcp", "github", "tools", "--help")[0] == 0
    assert cli("mcp", "github", "call", "--help")[0] == 0


def test_a_limit_of_time_is_a_commands_option(cli, archal):
    assert cli("mcp", "github", "tools", "--timeout", "5")[0] == 0
