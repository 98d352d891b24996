"""The GitHub clone behaves as GitHub: statuses, words, side effects and pages."""

from __future__ import annotations

import base64
import re

import pytest
from support.standin import route, send

R = "/repos/testuser/x"
MISSING = {
    "message": "Requires authentication",
    "documentation_url": "https://docs.github.com/rest/overview/resources-in-the-rest-api#authentication",
    "status": "401",
}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def repo(github):
    """One empty repository named `x`."""
    assert github("POST", "/user/repos", {"name": "x"}).status == 201
    return github


@pytest.fixture
def issue(repo):
    """Issue 1 in it, with label `bug`."""
    made = repo("POST", f"{R}/issues", {"title": "t", "body": "b", "labels": ["bug"]})
    assert made.status == 201
    return repo


@pytest.mark.parametrize(
    ("method", "path", "credential", "expected"),
    [
        ("GET", "/user", None, (401, "Requires authentication")),
        ("GET", "/user", "", (401, "Requires authentication")),
        ("GET", "/user", "Bearer", (401, "Requires authentication")),
        ("GET", "/user", "Bearer x", (200, None)),
        ("GET", "/user", "token x", (200, None)),
        ("GET", "/user", "Basic eDp5", (200, None)),
        ("GET", "/user", "Digest x", (401, "Bad credentials")),
        ("GET", "/user", "x", (401, "Bad credentials")),
        ("GET", "/user/repos", None, (401, "Requires authentication")),
        ("POST", "/user/repos", None, (401, "Requires authentication")),
        ("GET", R, None, (200, None)),
        ("GET", R, "Digest x", (401, "Bad credentials")),
        ("GET", "/users/testuser", None, (200, None)),
        ("GET", "/repos/testuser/hidden", None, (404, "Not Found")),
        ("GET", "/repos/testuser/hidden", "Bearer x", (200, None)),
        ("PATCH", R, None, (401, "Requires authentication")),
        ("DELETE", R, None, (401, "Requires authentication")),
        ("GET", "/nowhere", None, (404, "Not Found")),
        ("BREW", "/user", "Bearer x", (404, "Not Found")),
    ],
)
def test_credentials(repo, method, path, credential, expected):
    """Any credential of a known scheme passes; public reading needs none."""
    repo("POST", "/user/repos", {"name": "hidden", "private": True})
    headers = {"x-route-authorization": f"Bearer {repo.token}"}
    if credential is not None:
        headers["Authorization"] = credential
    answer = send(repo.base + path, method, headers=headers)
    assert (answer.status, answer.json.get("message")) == expected
    if expected[1] == "Requires authentication":
        assert answer.json == MISSING


def test_headers_look_like_githubs(github):
    """Content type, request id, media type and rate limit."""
    first, second = github("GET", "/user"), github("GET", "/nowhere")
    for answer in (first, second):
        assert answer.header("content-type") == "application/json; charset=utf-8"
        assert re.fullmatch(r"[0-9A-F]{16}", answer.header("x-github-request-id"))
        assert answer.header("x-github-media-type") == "github.v3; format=json"
        assert answer.header("x-ratelimit-limit") == "5000"
    remaining = [int(answer.header("x-ratelimit-remaining")) for answer in (first, second)]
    assert remaining == [4999, 4998]


# Table of single calls on a repository `x` with issue 1: method, path, body, status, words.
CALLS = [
    ("POST", "/user/repos", b"{", 400, "Problems parsing JSON"),
    ("POST", "/user/repos", b"", 400, "Problems parsing JSON"),
    ("POST", "/user/repos", b'{"name":"\xff"}', 400, "Problems parsing JSON"),
    ("POST", "/user/repos", b"[]", 400, "Body should be a JSON object"),
    ("POST", "/user/repos", b"null", 400, "Body should be a JSON object"),
    ("POST", "/user/repos", {"name": 1}, 422, "Invalid request."),
    ("POST", "/user/repos", {"name": "y", "private": None}, 422, "Invalid request."),
    ("POST", "/user/repos", {}, 422, '"missing_field"'),
    ("POST", "/user/repos", {"name": ""}, 422, '"missing_field"'),
    ("POST", "/user/repos", {"name": "X"}, 422, "name already exists on this account"),
    ("POST", "/user/repos", {"name": ".."}, 422, "name is reserved"),
    ("POST", "/user/repos", {"name": "my repo/é"}, 201, '"my-repo-"'),
    ("POST", "/user/repos", {"name": "y", "surprise": 1}, 201, '"y"'),
    ("GET", "/users/nobody", None, 404, "Not Found"),
    ("GET", "/users/nobody/repos", None, 404, "Not Found"),
    ("GET", "/users/TestUser", None, 200, '"testuser"'),
    ("GET", "/repos/TESTUSER/X", None, 200, '"testuser/x"'),
    ("GET", "/repos/nobody/x", None, 404, "Not Found"),
    ("GET", "/repos/testuser%2Fx/y", None, 404, "Not Found"),
    ("PATCH", R, {"name": "X"}, 200, '"testuser/X"'),
    ("PATCH", R, {"name": "."}, 422, "name is reserved"),
    ("PATCH", R, {"default_branch": "none"}, 422, '"default_branch"'),
    ("PATCH", R, {"default_branch": "main"}, 200, '"main"'),
    ("PATCH", R, {"visibility": "secret"}, 422, '"visibility"'),
    ("PATCH", R, {"visibility": "private"}, 200, '"private":true'),
    ("PATCH", R, {"description": None, "has_wiki": False}, 200, '"has_wiki":false'),
    ("PATCH", R, {"archived": True}, 200, '"archived":true'),
    ("POST", f"{R}/issues", {}, 422, '"missing_field"'),
    ("POST", f"{R}/issues", {"title": None}, 422, '"missing_field"'),
    ("POST", f"{R}/issues", {"title": " "}, 422, '"missing_field"'),
    ("POST", f"{R}/issues", {"title": 7}, 201, '"title":"7"'),
    ("POST", f"{R}/issues", {"title": []}, 422, "Invalid request."),
    ("POST", f"{R}/issues", {"title": "a", "milestone": 1}, 422, '"milestone"'),
    ("POST", f"{R}/issues", {"title": "a", "labels": [""]}, 422, '"Label"'),
    ("POST", f"{R}/issues", {"title": "a", "labels": [{"x": 1}]}, 422, "Invalid request."),
    ("POST", f"{R}/issues", {"title": "a", "assignee": "testuser"}, 201, '"assignees":[{'),
    ("POST", f"{R}/issues", {"title": "a", "assignees": ["nobody"]}, 201, '"assignees":[]'),
    ("GET", f"{R}/issues/0", None, 404, "Not Found"),
    ("GET", f"{R}/issues/2", None, 404, "Not Found"),
    ("GET", f"{R}/issues/one", None, 404, "Not Found"),
    ("GET", f"{R}/issues/{'9' * 6000}", None, 404, "Not Found"),
    ("PATCH", f"{R}/issues/1", {"title": ""}, 422, '"title"'),
    ("PATCH", f"{R}/issues/1", {"state": "odd"}, 422, '"state"'),
    ("PATCH", f"{R}/issues/1", {"state_reason": "completed"}, 422, '"state_reason"'),
    ("PATCH", f"{R}/issues/1", {"assignee": None, "milestone": None}, 200, '"assignee":null'),
    ("PATCH", f"{R}/issues/1", {"body": None, "labels": []}, 200, '"labels":[]'),
    ("GET", f"{R}/issues?state=odd", None, 422, '"state"'),
    ("GET", f"{R}/issues?since=monday", None, 422, '"since"'),
    ("POST", f"{R}/issues/1/comments", {"body": " "}, 422, '"IssueComment"'),
    ("POST", f"{R}/issues/9/comments", {"body": "c"}, 404, "Not Found"),
    ("GET", f"{R}/issues/comments/1", None, 404, "Not Found"),
    ("GET", f"{R}/issues/comments/x", None, 404, "Not Found"),
    ("POST", f"{R}/labels", {"color": "ffffff"}, 422, '"missing_field"'),
    ("POST", f"{R}/labels", {"name": "BUG"}, 422, '"already_exists"'),
    ("POST", f"{R}/labels", {"name": "n", "color": "red"}, 422, '"color"'),
    ("POST", f"{R}/labels", {"name": "n", "color": "AABBCC"}, 201, '"aabbcc"'),
    ("GET", f"{R}/labels/none", None, 404, "Not Found"),
    ("PATCH", f"{R}/labels/bug", {"new_name": "question"}, 422, '"already_exists"'),
    ("PATCH", f"{R}/labels/bug", {"new_name": "Bug"}, 200, '"Bug"'),
    ("PATCH", f"{R}/labels/bug", {"description": None}, 200, '"description":null'),
    ("PUT", f"{R}/issues/1/labels", {"labels": 1}, 422, "Invalid request."),
    ("PUT", f"{R}/issues/1/labels", b" [1]", 422, "Invalid request."),
    ("DELETE", f"{R}/issues/1/labels/none", None, 404, "Label does not exist"),
    ("GET", f"{R}/contents", None, 404, "This repository is empty."),
    ("GET", f"{R}/contents/a?ref=other", None, 404, "No commit found for the ref other"),
    ("PUT", f"{R}/contents/a", {"content": ""}, 422, '\\"message\\" wasn\'t supplied.'),
    ("PUT", f"{R}/contents/a", {"message": "m"}, 422, '\\"content\\" wasn\'t supplied.'),
    ("PUT", f"{R}/contents/a", {"message": "m", "content": "%"}, 422, "not valid Base64"),
    ("PUT", f"{R}/contents/a", {"message": "m", "content": "é"}, 422, "not valid Base64"),
    ("PUT", f"{R}/contents/../a", {"message": "m", "content": ""}, 422, "malformed path"),
    ("PUT", f"{R}/contents/a%00", {"message": "m", "content": ""}, 422, "malformed path"),
    ("PUT", f"{R}/contents/a//b", {"message": "m", "content": ""}, 422, "malformed path"),
    ("PUT", f"{R}/contents/a", {"message": "m", "content": "", "sha": "0"}, 409, "does not match"),
    ("PUT", f"{R}/contents/a", {"message": "m", "content": "", "branch": "o"}, 404, "No commit"),
    ("DELETE", f"{R}/contents/a", {"message": "m", "sha": "0"}, 404, "Not Found"),
    ("DELETE", f"{R}/contents/a", None, 404, "Not Found"),
    ("DELETE", f"{R}/contents/a?author=x", None, 422, "Invalid request."),
]


@pytest.mark.parametrize("call", CALLS)
def test_single_calls(issue, call):
    """Each response has GitHub's status and words."""
    method, path, body, status, words = call
    raw, fields = (body, None) if isinstance(body, bytes) else (b"", body)
    answer = issue(method, path, fields, body=raw)
    assert (answer.status, words in answer.body.decode()) == (status, True), answer.body
    if status >= 400:
        assert answer.json["status"] == str(status)
        assert answer.json["documentation_url"].startswith("https://docs.github.com/")


def test_validation_errors_have_githubs_shape(repo):
    """A duplicate name and a missing title, in full."""
    answer = repo("POST", "/user/repos", {"name": "x"})
    detail = {
        "resource": "Repository",
        "code": "custom",
        "field": "name",
        "message": "name already exists on this account",
    }
    assert answer.json["message"] == "Repository creation failed."
    assert answer.json["errors"] == [detail]
    answer = repo("POST", f"{R}/issues", {})
    assert answer.json["errors"] == [
        {"resource": "Issue", "code": "missing_field", "field": "title"}
    ]


def test_a_repository_from_birth_to_end(github):
    """Create, rename, archive, and delete; the old name is free again."""
    made = github("POST", "/user/repos", {"name": "x", "description": "d", "auto_init": True})
    assert made.header("location") == made.json["url"] == f"{github.base}{R}"
    assert made.json["owner"]["login"] == "testuser"
    readme = github("GET", f"{R}/contents/README.md").json
    assert base64.b64decode(readme["content"]) == b"# x\nd\n"
    assert github("PATCH", R, {"name": "y", "private": True}).json["visibility"] == "private"
    assert github("GET", R).status == 404
    assert github("POST", "/user/repos", {"name": "x", "auto_init": True}).status == 201
    assert github("PATCH", R, {"name": "y"}).status == 422
    assert github("PATCH", R, {"archived": True}).status == 200
    refused = github("POST", f"{R}/issues", {"title": "t"})
    assert (refused.status, refused.json["message"][:23]) == (403, "Repository was archived")
    assert github("PATCH", R, {"archived": False}).status == 200
    assert github("POST", f"{R}/issues", {"title": "t"}).status == 201
    assert github("PATCH", R, {"has_issues": False}).status == 200
    assert github("POST", f"{R}/issues", {"title": "t"}).status == 410
    user = github("GET", "/user").json
    assert (user["public_repos"], user["total_private_repos"]) == (1, 1)
    assert github("DELETE", R).body == b""
    assert github("GET", R).status == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "b", "c"]),
        ("direction=desc", ["c", "b", "a"]),
        ("sort=created", ["b", "c", "a"]),
        ("sort=created&direction=asc", ["a", "c", "b"]),
        ("sort=pushed", ["b", "c", "a"]),
        ("sort=updated", ["b", "c", "a"]),
        ("sort=odd", ["c", "b", "a"]),
        ("visibility=private", ["c"]),
        ("visibility=public", ["a", "b"]),
        ("per_page=2&page=2", ["c"]),
    ],
)
def test_repositories_are_listed_in_order(github, query, found):
    """`/user/repos` sorts and filters; a user's list has the public ones only."""
    for name, private in (("a", False), ("c", True), ("b", False)):
        github("POST", "/user/repos", {"name": name, "private": private})
    assert [repo["name"] for repo in github("GET", f"/user/repos?{query}").json] == found
    public = github("GET", "/users/testuser/repos", credential=None).json
    assert [repo["name"] for repo in public] == ["a", "b"]


def test_an_issue_from_birth_to_end(issue):
    """Closing and reopening set the reason, the time, the person and the count."""
    path = f"{R}/issues/1"
    made = issue("GET", path).json
    assert (made["state"], made["comments"], made["user"]["login"]) == ("open", 0, "testuser")
    assert made["url"] == f"{issue.base}{path}"
    assert issue("GET", R).json["open_issues_count"] == 1
    closed = issue("PATCH", path, {"state": "closed", "title": "u"}).json
    assert (closed["state_reason"], closed["title"], closed["body"]) == ("completed", "u", "b")
    assert closed["closed_by"]["login"] == "testuser"
    assert closed["closed_at"] is not None
    assert issue("GET", R).json["open_issues_count"] == 0
    again = issue("PATCH", path, {"state": "closed", "body": None}).json
    assert (again["state_reason"], again["body"]) == ("completed", None)
    other = issue("PATCH", path, {"state": "closed", "state_reason": "not_planned"}).json
    assert other["state_reason"] == "not_planned"
    opened = issue("PATCH", path, {"state": "open", "state_reason": None}).json
    assert (opened["state_reason"], opened["closed_at"]) == ("reopened", None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [5, 4, 2, 1]),
        ("state=open&direction=asc", [1, 2, 4, 5]),
        ("state=closed", [3]),
        ("state=all", [5, 4, 3, 2, 1]),
        ("labels=bug", [2, 1]),
        ("labels=bug,question", [2]),
        ("labels=BUG%2Cnone", []),
        ("assignee=testuser", [4]),
        ("assignee=none", [5, 2, 1]),
        ("assignee=*", [4]),
        ("creator=testuser", [5, 4, 2, 1]),
        ("creator=octocat", []),
        ("sort=comments&direction=desc", [1, 5, 4, 2]),
        ("sort=updated&state=all", [1, 3, 5, 4, 2]),
        ("since=2001-01-01T00:00:00Z", [5, 4, 2, 1]),
        ("since=2999-01-01", []),
        ("per_page=2", [5, 4]),
        ("per_page=2&page=2", [2, 1]),
        ("per_page=0&page=0", [5, 4, 2, 1]),
        ("per_page=-1&page=x", [5, 4, 2, 1]),
        ("page=999999999999999999999", [5, 4, 2, 1]),
        ("page=99", []),
    ],
)
def test_issues_are_listed_by_filter_and_order(ordered, query, found):
    """Filters are joined by and; the newest come first."""
    answer = ordered("GET", f"{R}/issues?{query}")
    assert [issue["number"] for issue in answer.json] == found


@pytest.fixture(scope="module")
def ordered(delayed):
    """Five issues, one second apart."""
    archal, clock = delayed
    github = route(archal)
    clock.now += 30
    github("POST", "/user/repos", {"name": "x"})
    for labels in (["bug"], ["Bug", "question"], ["question"], [], []):
        clock.now += 1
        github("POST", f"{R}/issues", {"title": "t", "labels": labels})
    github("PATCH", f"{R}/issues/4", {"assignees": ["testuser", "TestUser"]})
    clock.now += 1
    github("PATCH", f"{R}/issues/3", {"state": "closed"})
    clock.now += 1
    github("POST", f"{R}/issues/1/comments", {"body": "c"})
    return github


def test_pages_are_linked(repo):
    """`Link` leads from the first page to the last and back, keeping the other parameters."""
    for _ in range(5):
        repo("POST", f"{R}/issues", {"title": "t"})
    query = "state=all&labels=&per_page=2&x=%2F+a"
    url = f"{repo.base}{R}/issues?{query}"
    links = [repo("GET", f"{R}/issues?{query}&page={page}").header("link") for page in range(1, 5)]
    first, last = f'<{url}&page=1>; rel="first"', f'<{url}&page=3>; rel="last"'
    assert links[0] == f'<{url}&page=2>; rel="next", {last}'
    assert links[1] == f'<{url}&page=1>; rel="prev", <{url}&page=3>; rel="next", {last}, {first}'
    assert links[2] == f'<{url}&page=2>; rel="prev", {first}'
    assert links[3] == f'<{url}&page=3>; rel="prev", {first}'
    assert repo("GET", f"{R}/issues").header("link") is None
    assert len(repo("GET", f"{R}/issues?per_page=1000").json) == 5


def test_a_page_has_30_items_unless_told_otherwise(repo):
    """Up to 100."""
    for number in range(101):
        repo("POST", f"{R}/labels", {"name": f"l{number}"})
    sizes = [len(repo("GET", f"{R}/labels{query}").json) for query in ("", "?per_page=1000")]
    assert sizes == [30, 100]


def test_comments(issue):
    """Create, list, get, change and delete; the issue counts them."""
    made = issue("POST", f"{R}/issues/1/comments", {"body": "c"})
    path = f"{R}/issues/comments/{made.json['id']}"
    assert made.header("location") == made.json["url"] == issue.base + path
    assert issue("GET", path).json == made.json
    assert issue("PATCH", path, {"body": "d"}).json["body"] == "d"
    for listing in (f"{R}/issues/1/comments", f"{R}/issues/comments"):
        assert [one["body"] for one in issue("GET", listing).json] == ["d"]
    assert issue("GET", f"{R}/issues/1").json["comments"] == 1
    assert issue("DELETE", path).status == 204
    assert issue("DELETE", path).status == 404
    assert issue("GET", f"{R}/issues/1").json["comments"] == 0


def test_labels_of_a_repository(issue):
    """A new repository has GitHub's nine; renaming and deleting reach the issues."""
    names = [label["name"] for label in issue("GET", f"{R}/labels").json]
    assert len(names) == 9
    assert names[0] == "bug"
    renamed = issue("PATCH", f"{R}/labels/bug", {"new_name": "area/a b", "color": "000000"})
    assert renamed.json["url"] == f"{issue.base}{R}/labels/area%2Fa%20b"
    for spelled in ("area%2Fa%20b", "area/a%20b"):
        assert issue("GET", f"{R}/labels/{spelled}").json["name"] == "area/a b"
    (label,) = issue("GET", f"{R}/issues/1").json["labels"]
    assert (label["name"], label["color"]) == ("area/a b", "000000")
    assert issue("DELETE", f"{R}/labels/area%2Fa%20b").status == 204
    assert issue("GET", f"{R}/issues/1").json["labels"] == []


def test_labels_of_an_issue(issue):
    """Add, set, remove and clear; unknown labels are made on the way."""
    path = f"{R}/issues/1/labels"

    def names(answer):
        return [label["name"] for label in answer.json]

    assert names(issue("POST", path, {"labels": ["Bug", "new", "NEW"]})) == ["bug", "new"]
    assert issue("GET", f"{R}/labels/new").json["color"] == "ededed"
    assert names(issue("POST", path, ["question", {"name": "bug"}])) == ["bug", "new", "question"]
    assert names(issue("GET", path)) == ["bug", "new", "question"]
    assert names(issue("DELETE", f"{path}/NEW")) == ["bug", "question"]
    assert names(issue("PUT", path, {"labels": ["wontfix"]})) == ["wontfix"]
    assert issue("DELETE", path).status == 204
    assert names(issue("GET", path)) == []
    assert names(issue("PUT", path, {})) == []


def test_contents_of_files(repo):
    """The blob's hash guards each change, and every change is a commit on the last one."""
    path = f"{R}/contents/docs/caf%C3%A9%20%231.md"
    text = "hello\n" * 30
    body = {"message": "one", "content": encoded(text), "branch": "main"}
    made = repo("PUT", path, body)
    assert made.status == 201
    assert made.json["content"]["path"] == "docs/café #1.md"
    assert made.json["commit"]["author"]["name"] == "testuser"
    assert made.json["commit"]["parents"] == []
    got = repo("GET", f"{path}?ref=main").json
    assert base64.b64decode(got["content"]).decode() == text
    assert max(map(len, got["content"].splitlines())) == 60
    assert (got["encoding"], got["size"], got["type"]) == ("base64", 180, "file")
    assert repo("PUT", path, body).status == 422
    assert repo("PUT", path, body | {"sha": "0" * 40}).status == 409
    person = {"name": "n", "email": "e@example.com"}
    changes = {"sha": got["sha"], "content": encoded("bye"), "committer": person}
    updated = repo("PUT", path, body | changes)
    assert updated.status == 200
    assert updated.json["commit"]["author"]["email"] == "e@example.com"
    assert updated.json["commit"]["parents"][0]["sha"] == made.json["commit"]["sha"]
    assert repo("GET", f"{path}?ref={updated.json['commit']['sha']}").status == 200
    sha = updated.json["content"]["sha"]
    assert sha == "0abaeaa9932cc3322604c196b22c4db5c33aa548"
    assert repo("DELETE", path, {"message": "m", "sha": got["sha"]}).status == 409
    gone = repo("DELETE", f"{path}?message=m&sha={sha}")
    assert (gone.status, gone.json["content"]) == (200, None)
    assert repo("GET", path).status == 404


def test_contents_of_directories(repo):
    """Direct children by name; a file and a directory cannot share a path."""
    for name in ("b", "a/x", "a/y/z"):
        body = {"message": "m", "content": encoded(name)}
        assert repo("PUT", f"{R}/contents/{name}", body).status == 201

    def listing(path):
        return [(one["name"], one["type"]) for one in repo("GET", f"{R}/contents{path}").json]

    assert listing("") == listing("/") == [("a", "dir"), ("b", "file")]
    assert listing("/a") == listing("/a/") == [("x", "file"), ("y", "dir")]
    assert repo("GET", f"{R}/contents/c").status == 404
    for path in ("a", "b/c"):
        answer = repo("PUT", f"{R}/contents/{path}", {"message": "m", "content": ""})
        assert answer.status == 422


@pytest.mark.parametrize(
    ("accept", "raw"),
    [
        ("application/vnd.github.raw+json", True),
        ("application/vnd.github.raw", True),
        ("application/vnd.github.v3.raw", True),
        ("text/html, application/vnd.github.v3.raw; q=0.9", True),
        ("application/vnd.github+json", False),
        ("application/vnd.github.rawer", False),
    ],
)
def test_raw_contents(repo, accept, raw):
    """The raw media type, as clients spell it, gives the bytes."""
    repo("PUT", f"{R}/contents/a", {"message": "m", "content": encoded("plain")})
    answer = repo("GET", f"{R}/contents/a", Accept=accept)
    assert (answer.body == b"plain") is raw
    kind = "application/vnd.github.raw+json" if raw else "application/json"
    assert answer.header("content-type").startswith(kind)


def test_the_small_project(archal):
    """One repository with a README, labels, issues and comments."""
    github = route(archal, seeds={"github": "small-project"})
    (repo,) = github("GET", "/user/repos").json
    home = f"/repos/{repo['full_name']}"
    assert repo["open_issues_count"] == 2
    assert len(github("GET", f"{home}/issues?state=all").json) == 3
    assert len(github("GET", f"{home}/issues/1/comments").json) == 2
    assert len(github("GET", f"{home}/labels").json) == 10
    assert github("GET", f"{home}/issues/1").json["author_association"] == "NONE"
    assert {one["name"] for one in github("GET", f"{home}/contents").json} == {"README.md", "src"}
