"""The GitHub clone's tools: their names and shapes, and that they and REST are one."""

from __future__ import annotations

import base64
import json
import re

import jsonschema_rs
import pytest
from support.mcp_peer import endpoint
from support.standin import Route

REPO = {"owner": "testuser", "repo": "webshop"}
ISSUE = {**REPO, "issue_number": 1}
REST = "/repos/testuser/webshop"
FILE = {**REPO, "path": "docs/a b.md", "message": "Write", "branch": "main"}

# Required and optional arguments of GitHub's own server (github/github-mcp-server, pkg/github/__toolsnaps__, 2026), of
# the optional ones those that the clone can act on.
GITHUBS = {
    "get_me": ("", ""),
    "create_repository": ("name", "description organization private autoInit"),
    "list_issues": ("owner repo", "state labels orderBy direction since after perPage"),
    "issue_read": ("method owner repo issue_number", "page perPage"),
    "issue_write": (
        "method owner repo",
        "issue_number title body labels assignees milestone state state_reason",
    ),
    "add_issue_comment": ("owner repo issue_number body", ""),
    "get_issue": ("owner repo issue_number", ""),
    "get_issue_comments": ("owner repo issue_number", "page perPage"),
    "create_issue": ("owner repo title", "body labels assignees milestone"),
    "update_issue": (
        "owner repo issue_number",
        "title body labels assignees milestone state state_reason",
    ),
    "get_label": ("owner repo name", ""),
    "list_label": ("owner repo", ""),
    "label_write": ("method owner repo name", "new_name color description"),
    "get_file_contents": ("owner repo", "path ref sha"),
    "create_or_update_file": ("owner repo path content message branch", "sha"),
    "delete_file": ("owner repo path message branch", ""),
}
READING = {name for name in GITHUBS if name.startswith(("get_", "list_"))} | {"issue_read"}


class Both:
    """One clone of one session, through MCP and through REST."""

    def __init__(self, archal):
        self.peer = endpoint(archal, seeds={"github": "small-project"})
        self.rest = Route(self.peer.url.removesuffix("mcp") + "api", archal.token)
        listed = self.peer.modern("tools/list").json["result"]["tools"]
        self.tools = {tool["name"]: tool for tool in listed}

    def call(self, name, arguments=()):
        """Call a tool and give its result, whose structured content fits its schema and equals its text."""
        arguments = dict(arguments)
        jsonschema_rs.validate(self.tools[name]["inputSchema"], arguments)
        answer = self.peer.modern("tools/call", {"name": name, "arguments": arguments})
        assert answer.status == 200, answer.body
        result = answer.json["result"]
        if "outputSchema" in self.tools[name] and not result["isError"]:
            jsonschema_rs.validate(self.tools[name]["outputSchema"], result["structuredContent"])
        if "structuredContent" in result:
            assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result

    def value(self, name, arguments=()):
        """Call a tool that succeeds and give what its text holds."""
        result = self.call(name, arguments)
        assert not result["isError"], result
        return json.loads(result["content"][0]["text"])

    def failure(self, name, arguments=()):
        """Call a tool that fails and give what it says."""
        result = self.call(name, arguments)
        assert result["isError"]
        assert "structuredContent" not in result
        return result["content"][0]["text"]

    def mistake(self, name, arguments=()):
        """Call a tool in a wrong way and give what the protocol's error says."""
        answer = self.peer.modern("tools/call", {"name": name, "arguments": dict(arguments)})
        assert answer.json["error"]["code"] == -32602
        return answer.json["error"]["message"]


@pytest.fixture
def both(archal):
    return Both(archal)


def test_names_and_arguments_are_githubs(both):
    """And each says what it is for and whether it only reads."""
    assert both.tools.keys() == GITHUBS.keys()
    for name, tool in both.tools.items():
        required, optional = (set(names.split()) for names in GITHUBS[name])
        schema = tool["inputSchema"]
        assert schema["type"] == "object"
        assert set(schema.get("required", [])) == required, name
        assert set(schema["properties"]) == required | optional, name
        assert all(field.get("description") for field in schema["properties"].values()), name
        assert tool["annotations"]["readOnlyHint"] == (name in READING)
        assert tool["title"]
        assert tool["description"]
        for kind in ("inputSchema", "outputSchema"):
            jsonschema_rs.meta.validate(tool.get(kind, {}))


def test_an_issue_is_the_same_on_both_sides(both):
    """Whichever side it is made and changed on."""
    arguments = {**REPO, "title": "New", "body": "Text", "labels": ["bug"]}
    made = both.value("create_issue", arguments)
    assert made == both.rest("GET", f"{REST}/issues/{made['number']}").json
    by_rest = both.rest("POST", f"{REST}/issues", {"title": "Other"}).json
    assert both.value("get_issue", {**REPO, "issue_number": by_rest["number"]}) == by_rest
    changed = both.value("update_issue", {**ISSUE, "state": "closed", "assignees": []})
    assert (changed["state"], changed["state_reason"]) == ("closed", "completed")
    assert both.rest("GET", f"{REST}/issues/1").json == changed


def test_issue_write_gives_id_and_address(both):
    """As the newer form does."""
    made = both.value("issue_write", {"method": "create", **REPO, "title": "New"})
    issue = both.rest("GET", f"{REST}/issues/4").json
    assert made == {"id": str(issue["id"]), "url": issue["html_url"]}
    arguments = {"method": "update", **REPO, "issue_number": 4, "title": "Newer"}
    assert both.value("issue_write", arguments) == made
    assert both.rest("GET", f"{REST}/issues/4").json["title"] == "Newer"


def test_issue_read_is_shorter_than_rest(both):
    """Labels and people by name, without what is empty."""
    issue = both.value("issue_read", {"method": "get", **ISSUE})
    assert (issue["title"], issue["labels"]) == (
        "Checkout fails on an empty cart",
        ["bug", "area/checkout"],
    )
    assert (issue["user"]["login"], issue["assignees"]) == ("octocat", ["testuser"])
    assert "closed_at" not in issue
    closed = both.value("issue_read", {"method": "get", **REPO, "issue_number": 3})
    assert (closed["closed_by"], closed["state_reason"]) == ("testuser", "completed")
    labels = both.value("issue_read", {"method": "get_labels", **ISSUE})
    assert (labels["totalCount"], labels["labels"][1]["name"]) == (2, "area/checkout")


def test_comments_page(both):
    """They are lists, which have no structured content."""
    made = both.value("add_issue_comment", {**ISSUE, "body": "Third"})
    page = {"perPage": 2, "page": 2}
    (short,) = both.value("issue_read", {"method": "get_comments", **ISSUE, **page})
    (whole,) = both.value("get_issue_comments", {**ISSUE, **page})
    assert (short["body"], str(short["id"]), short["html_url"]) == ("Third", *made.values())
    assert whole == both.rest("GET", f"{REST}/issues/comments/{whole['id']}").json
    assert "structuredContent" not in both.call("get_issue_comments", ISSUE)


def test_issues_follow_one_another_by_cursor(both):
    """Open and closed ones, unless one state is asked for."""
    seen, after = [], {}
    for _ in range(3):
        page = both.value("list_issues", {**REPO, "perPage": 1, "direction": "ASC", **after})
        seen += [issue["number"] for issue in page["issues"]]
        after = {"after": page["pageInfo"]["endCursor"]}
        assert page["totalCount"] == 3
        assert page["pageInfo"]["hasNextPage"] == (len(seen) < 3)
        assert page["pageInfo"]["hasPreviousPage"] == (len(seen) > 1)
    assert seen == [1, 2, 3]
    assert both.value("list_issues", {**REPO, **after})["issues"] == []


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"state": "OPEN"}, [2, 1]),
        ({"state": "CLOSED"}, [3]),
        ({"labels": ["bug", "area/checkout"]}, [1]),
        ({"orderBy": "COMMENTS"}, [1, 3, 2]),
        ({"since": "2999-01-01T00:00:00Z"}, []),
    ],
)
def test_issues_are_filtered_and_sorted(both, filters, numbers):
    """By REST's own rules."""
    found = both.value("list_issues", {**REPO, **filters})["issues"]
    assert [issue["number"] for issue in found] == numbers


def test_every_issue_is_listed_where_rest_pages(both):
    """The tool's cursor runs over all of REST's pages."""
    for number in range(4, 102):
        both.rest("POST", f"{REST}/issues", {"title": str(number)})
    assert both.value("list_issues", REPO)["totalCount"] == 101


def test_labels_are_the_same_on_both_sides(both):
    """A name may hold a slash."""
    one = {**REPO, "name": "area/x"}
    result = both.call("label_write", {"method": "create", **one, "color": "ABCDEF"})
    assert result["content"][0]["text"] == "label 'area/x' created successfully"
    assert both.rest("GET", f"{REST}/labels/area%2Fx").json["color"] == "abcdef"
    arguments = {"method": "update", **one, "new_name": "area/y", "description": "Y"}
    assert "'area/y' updated" in both.call("label_write", arguments)["content"][0]["text"]
    found = both.value("get_label", {**REPO, "name": "area/y"})
    assert (found["color"], found["description"]) == ("abcdef", "Y")
    assert found in both.value("list_label", REPO)["labels"]
    both.call("label_write", {"method": "delete", **REPO, "name": "area/y"})
    assert both.rest("GET", f"{REST}/labels/area%2Fy").status == 404


def test_files_are_the_same_on_both_sides(both):
    """Their content is plain here and Base64 there; deleting needs no hash."""
    made = both.value("create_or_update_file", {**FILE, "content": "Grüße"})
    path = f"{REST}/contents/docs/a%20b.md"
    stored = both.rest("GET", path).json
    assert base64.b64decode(stored["content"]).decode() == "Grüße"
    assert made["content"]["sha"] == stored["sha"]
    update = {**FILE, "content": "Hello", "sha": stored["sha"]}
    both.value("create_or_update_file", update)
    file = both.call("get_file_contents", {**REPO, "path": "docs/a b.md"})["content"]
    assert file[1]["resource"]["text"] == "Hello"
    assert both.value("delete_file", FILE)["content"] is None
    assert both.rest("GET", path).status == 404


def test_files_are_found_by_ref_and_commit(both):
    """The URI of what is found says where, and leads there again."""
    head = both.value("create_or_update_file", {**FILE, "content": "x"})["commit"]["sha"]
    forms = [
        ({}, "repo://testuser/webshop/contents/README.md"),
        ({"ref": "refs/heads/main"}, "repo://testuser/webshop/refs/heads/main/contents/README.md"),
        ({"sha": head}, f"repo://testuser/webshop/sha/{head}/contents/README.md"),
    ]
    for where, uri in forms:
        found = both.call("get_file_contents", {**REPO, "path": "README.md", **where})
        assert found["content"][1]["resource"]["uri"] == uri
        read = both.peer.modern("resources/read", {"uri": uri}).json["result"]["contents"]
        assert read == [found["content"][1]["resource"]]


def test_what_is_not_text_is_a_blob(both):
    """With the media type of its name."""
    body = {"message": "m", "content": base64.b64encode(b"\x89PNG\xff").decode()}
    both.rest("PUT", f"{REST}/contents/logo.png", body)
    said, found = both.call("get_file_contents", {**REPO, "path": "logo.png"})["content"]
    assert said["text"].startswith("successfully downloaded binary file")
    assert found["resource"]["mimeType"] == "image/png"
    assert base64.b64decode(found["resource"]["blob"]) == b"\x89PNG\xff"


@pytest.mark.parametrize("path", [{}, {"path": "/"}, {"path": "src/"}])
def test_a_directory_is_listed(both, path):
    """As REST lists it."""
    listed = both.value("get_file_contents", {**REPO, **path})
    assert listed == both.rest("GET", f"{REST}/contents/{path.get('path', '').strip('/')}").json


def test_repositories_and_the_user(both):
    """A new repository is private unless it is said otherwise."""
    arguments = {"name": "shop", "description": "d", "autoInit": True}
    made = both.value("create_repository", arguments)
    stored = both.rest("GET", "/repos/testuser/shop").json
    assert made == {"id": str(stored["id"]), "url": stored["html_url"]}
    assert (stored["private"], stored["description"]) == (True, "d")
    assert both.rest("GET", "/repos/testuser/shop/contents/README.md").status == 200
    me = both.value("get_me")
    assert (me["login"], me["details"]["total_private_repos"]) == ("testuser", 1)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("get_issue", {**REPO, "issue_number": 99}, "failed to get issue: GET .* 404 Not Found"),
        ("create_issue", {**REPO, "title": " "}, r"422 .*Resource:Issue .*Field:title"),
        ("create_repository", {"name": "webshop"}, "422 Repository creation failed. .*exists"),
        ("create_repository", {"name": "x", "organization": "o"}, "501 Not implemented"),
        ("create_or_update_file", {**FILE, "path": "README.md", "content": ""}, 'sha" wasn'),
        ("create_or_update_file", {**FILE, "branch": "other", "content": ""}, "404 No commit"),
        ("delete_file", {**FILE, "path": "src"}, "404 Not Found"),
        ("get_file_contents", {**REPO, "path": "none"}, "404 Not Found"),
        ("update_issue", {**ISSUE, "milestone": 1}, "422 Validation Failed"),
        ("update_issue", {**ISSUE, "state_reason": "completed"}, "422 Validation Failed"),
        ("add_issue_comment", {**ISSUE, "body": ""}, "422 Validation Failed"),
        ("list_issues", {**REPO, "since": "soon"}, "422 Validation Failed"),
        ("list_label", {"owner": "../..", "repo": "user"}, "404 Not Found"),
        ("list_label", {"owner": "", "repo": ""}, "404 Not Found"),
    ],
)
def test_a_refusal_is_in_githubs_words(both, name, arguments, said):
    """After what was tried."""
    before = both.rest("GET", f"{REST}/issues?state=all").json
    found = both.failure(name, arguments)
    assert "https://api.github.com/" in found
    assert re.search(said, found, re.DOTALL), found
    assert both.rest("GET", f"{REST}/issues?state=all").json == before


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("get_issue", {**REPO}, "issue_number"),
        ("get_issue", {**ISSUE, "issue_number": "1"}, "issue_number"),
        ("get_issue", {**ISSUE, "issue_number": 1.5}, "issue_number"),
        ("issue_read", {**ISSUE, "method": "get_parent"}, "method"),
        ("issue_read", {**ISSUE, "method": "get_comments", "perPage": 101}, "perPage"),
        ("issue_read", {**ISSUE, "method": "get_comments", "page": 0}, "page"),
        ("issue_write", {**REPO, "method": "update"}, "issue_number"),
        ("issue_write", {**REPO, "method": "create"}, "title"),
        ("create_issue", {**REPO, "title": "x", "labels": "bug"}, "labels"),
        ("create_issue", {**REPO, "title": "x", "labels": [1]}, "labels"),
        ("label_write", {**REPO, "name": "x", "method": "create"}, "color"),
        ("list_issues", {**REPO, "state": "open"}, "state"),
        ("list_issues", {**REPO, "after": "x"}, "after"),
        ("list_issues", {**REPO, "after": base64.b64encode(b"issues:-1").decode()}, "after"),
    ],
)
def test_a_wrong_argument_is_named(both, name, arguments, named):
    """Before the clone is asked."""
    assert named in both.mistake(name, arguments)
    assert both.rest("GET", f"{REST}/issues?state=all").json[0]["number"] == 3


def test_an_argument_that_no_schema_knows_is_ignored(both):
    """As GitHub's server does."""
    assert both.value("get_issue", {**ISSUE, "verbose": True})["number"] == 1


def test_sessions_of_archal_are_apart(archal, both):
    """Neither issues nor MCP sessions of one are known to another."""
    other = Both(archal)
    both.value("create_issue", {**REPO, "title": "Mine"})
    assert other.value("list_issues", REPO)["totalCount"] == 3
    headers = both.peer.session()
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert both.peer.post(ping, headers=headers).status == 200
    assert other.peer.post(ping, headers=headers).status == 404


def test_a_private_repository_is_there_for_the_tools(both):
    """They act for the user who made it."""
    both.value("create_repository", {"name": "secret"})
    assert both.rest("GET", "/repos/testuser/secret", credential=None).status == 404
    repo = {"owner": "testuser", "repo": "secret"}
    assert both.value("list_issues", repo)["totalCount"] == 0
