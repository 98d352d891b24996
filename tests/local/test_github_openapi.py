"""Every response of the GitHub clone is as GitHub's own OpenAPI description says."""

from __future__ import annotations

import base64
import copy
import json

import jsonschema_rs
import pytest
from support import openapi
from support.standin import Answer, route

REPO = "/repos/{owner}/{repo}"
ISSUE = f"{REPO}/issues/{{issue_number}}"
FILE = f"{REPO}/contents/{{path}}"
COMMENT = f"{REPO}/issues/comments/{{comment_id}}"
LABEL = f"{REPO}/labels/{{name}}"
CONTENT = base64.b64encode(b"hello\n" * 30).decode()
NO_SHA = "0" * 40

# method, template, path, body, status. `{sha}`, `{comment}` are filled in from answers before.
SCRIPT = [
    ("GET", "/user", "/user", None, 200),
    ("GET", "/users/{username}", "/users/octocat", None, 200),
    ("GET", "/users/{username}", "/users/nobody", None, 404),
    ("POST", "/user/repos", "/user/repos", {"name": "new", "auto_init": True}, 201),
    ("POST", "/user/repos", "/user/repos", {"name": "p", "private": True, "homepage": None}, 201),
    ("POST", "/user/repos", "/user/repos", {"name": "new"}, 422),
    ("POST", "/user/repos", "/user/repos", {}, 422),
    ("POST", "/user/repos", "/user/repos", {"name": 1}, 422),
    ("POST", "/user/repos", "/user/repos", [], 400),
    ("GET", "/user/repos", "/user/repos?per_page=2", None, 200),
    ("GET", "/users/{username}/repos", "/users/testuser/repos", None, 200),
    ("GET", REPO, "/repos/testuser/webshop", None, 200),
    ("GET", REPO, "/repos/testuser/none", None, 404),
    ("PATCH", REPO, "/repos/testuser/new", {"description": "d", "name": "newer"}, 200),
    ("PATCH", REPO, "/repos/testuser/newer", {"visibility": "secret"}, 422),
    ("PATCH", REPO, "/repos/testuser/none", {}, 404),
    ("GET", f"{REPO}/issues", "/repos/testuser/webshop/issues?state=all", None, 200),
    ("GET", f"{REPO}/issues", "/repos/testuser/webshop/issues?state=odd", None, 422),
    ("GET", f"{REPO}/issues", "/repos/testuser/none/issues", None, 404),
    (
        "POST",
        f"{REPO}/issues",
        "/repos/testuser/webshop/issues",
        {"title": "t", "body": "b", "labels": ["bug", {"name": "x"}], "assignees": ["testuser"]},
        201,
    ),
    ("POST", f"{REPO}/issues", "/repos/testuser/webshop/issues", {"body": "b"}, 422),
    ("GET", ISSUE, "/repos/testuser/webshop/issues/1", None, 200),
    ("GET", ISSUE, "/repos/testuser/webshop/issues/99", None, 404),
    ("PATCH", ISSUE, "/repos/testuser/webshop/issues/1", {"state": "closed"}, 200),
    ("PATCH", ISSUE, "/repos/testuser/webshop/issues/1", {"state": "odd"}, 422),
    ("GET", f"{ISSUE}/comments", "/repos/testuser/webshop/issues/1/comments", None, 200),
    ("POST", f"{ISSUE}/comments", "/repos/testuser/webshop/issues/1/comments", {"body": "c"}, 201),
    ("POST", f"{ISSUE}/comments", "/repos/testuser/webshop/issues/1/comments", {}, 422),
    ("GET", f"{REPO}/issues/comments", "/repos/testuser/webshop/issues/comments", None, 200),
    ("GET", COMMENT, "/repos/testuser/webshop/issues/comments/{comment}", None, 200),
    ("PATCH", COMMENT, "/repos/testuser/webshop/issues/comments/{comment}", {"body": "d"}, 200),
    ("DELETE", COMMENT, "/repos/testuser/webshop/issues/comments/{comment}", None, 204),
    ("GET", COMMENT, "/repos/testuser/webshop/issues/comments/{comment}", None, 404),
    ("GET", f"{REPO}/labels", "/repos/testuser/webshop/labels", None, 200),
    ("POST", f"{REPO}/labels", "/repos/testuser/webshop/labels", {"name": "l"}, 201),
    ("POST", f"{REPO}/labels", "/repos/testuser/webshop/labels", {"name": "l"}, 422),
    ("GET", LABEL, "/repos/testuser/webshop/labels/l", None, 200),
    ("GET", LABEL, "/repos/testuser/webshop/labels/none", None, 404),
    ("PATCH", LABEL, "/repos/testuser/webshop/labels/l", {"new_name": "m", "color": "aabbcc"}, 200),
    ("PATCH", LABEL, "/repos/testuser/webshop/labels/m", {"color": "red"}, 422),
    ("GET", f"{ISSUE}/labels", "/repos/testuser/webshop/issues/1/labels", None, 200),
    ("POST", f"{ISSUE}/labels", "/repos/testuser/webshop/issues/1/labels", {"labels": ["m"]}, 200),
    ("PUT", f"{ISSUE}/labels", "/repos/testuser/webshop/issues/1/labels", ["bug"], 200),
    ("DELETE", f"{ISSUE}/labels/{{name}}", "/repos/testuser/webshop/issues/1/labels/x", None, 404),
    (
        "DELETE",
        f"{ISSUE}/labels/{{name}}",
        "/repos/testuser/webshop/issues/1/labels/bug",
        None,
        200,
    ),
    ("DELETE", f"{ISSUE}/labels", "/repos/testuser/webshop/issues/1/labels", None, 204),
    ("DELETE", LABEL, "/repos/testuser/webshop/labels/m", None, 204),
    ("GET", FILE, "/repos/testuser/webshop/contents/", None, 200),
    ("GET", FILE, "/repos/testuser/webshop/contents/none", None, 404),
    (
        "PUT",
        FILE,
        "/repos/testuser/webshop/contents/a/b",
        {"message": "m", "content": CONTENT},
        201,
    ),
    (
        "PUT",
        FILE,
        "/repos/testuser/webshop/contents/a/b",
        {"message": "m", "content": CONTENT},
        422,
    ),
    (
        "PUT",
        FILE,
        "/repos/testuser/webshop/contents/a/b",
        {"message": "m", "content": CONTENT, "sha": NO_SHA},
        409,
    ),
    ("GET", FILE, "/repos/testuser/webshop/contents/a/b", None, 200),
    (
        "PUT",
        FILE,
        "/repos/testuser/webshop/contents/a/b",
        {"message": "m", "content": CONTENT, "sha": "{sha}"},
        200,
    ),
    ("DELETE", FILE, "/repos/testuser/webshop/contents/a/b", {"message": "m"}, 422),
    (
        "DELETE",
        FILE,
        "/repos/testuser/webshop/contents/a/b",
        {"message": "m", "sha": "{sha}"},
        200,
    ),
    ("PATCH", REPO, "/repos/testuser/newer", {"archived": True}, 200),
    ("PATCH", REPO, "/repos/testuser/newer", {"description": "d"}, 403),
    ("DELETE", REPO, "/repos/testuser/newer", None, 204),
    ("DELETE", REPO, "/repos/testuser/newer", None, 404),
]


def test_answers_are_as_github_describes_them(archal, contract):
    """Every operation and error of one long visit validates."""
    github = route(archal, seeds={"github": "small-project"})
    learned = {"sha": "", "comment": ""}
    for method, template, path, body, status in SCRIPT:
        for name, value in learned.items():
            path = path.replace(f"{{{name}}}", value)  # noqa: PLW2901 - filled in as we go
            if isinstance(body, dict):
                body = {k: value if v == f"{{{name}}}" else v for k, v in body.items()}  # noqa: PLW2901
        answer = github(method, path, body)
        assert answer.status == status, (method, path, answer.body)
        contract.check(method, template, answer)
        if template == FILE and method == "GET" and status == 200:
            data = answer.json
            learned["sha"] = data["sha"] if isinstance(data, dict) else ""
        if template == f"{ISSUE}/comments" and status == 201:
            learned["comment"] = str(answer.json["id"])


@pytest.mark.parametrize(
    ("method", "template", "path"),
    [
        ("GET", "/user", "/user"),
        ("POST", "/user/repos", "/user/repos"),
        ("POST", f"{REPO}/issues", "/repos/testuser/x/issues"),
    ],
)
def test_refusals_without_credential_are_described(github, contract, method, template, path):
    """The 401 validates as GitHub's basic error."""
    answer = github(method, path, {"name": "x"}, credential=None)
    assert answer.status == 401
    contract.check(method, template, answer)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("id", "one"), ("html_url", None), ("owner", {}), ("created_at", "yesterday"), ("url", "a b")],
)
def test_the_gate_bites(github, contract, field, wrong):
    """A doctored response does not validate, so a valid one means something."""
    answer = github("POST", "/user/repos", {"name": "x"})
    contract.check("POST", "/user/repos", answer)
    doctored = copy.deepcopy(answer.json) | {field: wrong}
    with pytest.raises(jsonschema_rs.ValidationError):
        contract.check("POST", "/user/repos", Answer(201, [], json.dumps(doctored).encode()))
    del doctored[field]
    with pytest.raises(jsonschema_rs.ValidationError):
        contract.check("POST", "/user/repos", Answer(201, [], json.dumps(doctored).encode()))


def test_null_is_taken_only_where_it_is_described(github, contract):
    """`description` may be null, `name` may not."""
    repo = github("POST", "/user/repos", {"name": "x"}).json
    fine = Answer(201, [], json.dumps(repo | {"description": None}).encode())
    contract.check("POST", "/user/repos", fine)
    wrong = Answer(201, [], json.dumps(repo | {"name": None}).encode())
    with pytest.raises(jsonschema_rs.ValidationError):
        contract.check("POST", "/user/repos", wrong)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)])
def test_a_missing_description_skips_at_home_and_fails_in_ci(monkeypatch, tmp_path, ci, outcome):
    """Nothing skips under CI."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome.Exception, match="npm is not installed"):
        openapi.description()
