"""Starting states: by name, from a file, or as a mapping; what is wrong with them is said before anything starts."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re

import pytest
import yaml
from support.fakes import Clock
from support.standin import Control, Route

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal

NOW = 1_800_000_000.0
DAY = 86_400
DOCUMENT = {
    "users": ["octocat", {"login": "hubot", "created": "2020-01-31"}],
    "repositories": [
        {
            "name": "shop",
            "owner": "octocat",
            "description": "A shop",
            "private": True,
            "files": {"README.md": "# shop\n", "src/ü.py": "x = 1\n"},
            "labels": ["urgent", {"name": "Bug", "color": "FF0000", "description": "Broken"}],
            "issues": [
                {
                    "title": "It is old",
                    "body": "Very.",
                    "author": "hubot",
                    "labels": ["bug", "urgent"],
                    "assignees": ["octocat", "testuser"],
                    "created": "31 days ago",
                    "comments": [{"body": "Indeed.", "author": "octocat", "created": "1 week ago"}],
                },
                {
                    "title": "It is done",
                    "state": "closed",
                    "state_reason": "not_planned",
                    "created": "2026-01-01T10:00:00+02:00",
                    "closed": 1_790_000_000,
                },
            ],
        }
    ],
}


def repositories(*repositories, **more):
    return {"repositories": list(repositories), **more}


def issue(**fields):
    return repositories({"name": "r", "issues": [{"title": "t"}, {"title": "t", **fields}]})


@pytest.mark.parametrize("kind", ["mapping", "json", "yaml", "yml"])
def test_a_document_is_planted_as_it_says(tmp_path, kind):
    """Whichever way it comes; the API knows it by a name, and a reset goes back to it."""
    seed = DOCUMENT
    if kind != "mapping":
        seed = tmp_path / f"mine.{kind}"
        write = json.dumps if kind == "json" else yaml.safe_dump
        seed.write_text(write(DOCUMENT), encoding="utf-8")
    name = "custom" if kind == "mapping" else f"mine.{kind}"
    with LocalArchal(seeds={"github": seed}, clock=Clock(NOW)) as archal:
        rest = Route(archal.base_url("github"), archal.token)
        check(rest)
        assert rest("PATCH", "/repos/octocat/shop/issues/1", {"title": "x"}).status == 200
        archal.reset()
        check(rest)
        control = Control(archal.api_url, archal.token)
        session = control("GET", f"/api/sessions/{archal.session_id}").json
        assert session["resolvedSeeds"] == archal.seeds == {"github": name}
        clone = control("GET", "/api/clones").json["clones"][0]
        assert clone["seeds"][-1] == name
        other = control.create(seeds={"github": name}).json
        check(Route(other["apiBaseUrls"]["github"], archal.token))
        assert control.create().json["resolvedSeeds"] == {"github": "empty"}


def check(rest):
    """What REST shows of the document."""
    repo = rest("GET", "/repos/octocat/shop").json
    assert (repo["private"], repo["description"]) == (True, "A shop")
    assert repo["created_at"] == "2026-01-01T08:00:00Z"  # that of the oldest issue
    assert rest("GET", "/users/hubot").json["created_at"] == "2020-01-31T00:00:00Z"
    first, second = (rest("GET", f"/repos/octocat/shop/issues/{number}").json for number in (1, 2))
    assert first["user"]["login"] == "hubot"
    assert [one["login"] for one in first["assignees"]] == ["octocat", "testuser"]
    assert [(one["name"], one["color"]) for one in first["labels"]] == [
        ("Bug", "ff0000"),
        ("urgent", "ededed"),
    ]
    assert moment(first["created_at"]) == NOW - 31 * DAY
    assert moment(first["updated_at"]) == NOW - 7 * DAY
    assert first["comments"] == 1
    assert (second["state"], second["state_reason"]) == ("closed", "not_planned")
    assert moment(second["closed_at"]) == moment(second["updated_at"]) == 1_790_000_000
    assert second["closed_by"]["login"] == "testuser"
    path = "/repos/octocat/shop/contents/src/%C3%BC.py"
    assert rest("GET", path, accept="application/vnd.github.raw").body == b"x = 1\n"
    assert len(rest("GET", "/repos/octocat/shop/labels").json) == 10


def moment(text):
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("name", ["empty", "small-project", "stale-issues", "large-backlog"])
def test_every_named_seed_can_be_planted(name):
    """And all that is in it is not of the future."""
    with LocalArchal(seeds={"github": name}, clock=Clock(NOW)) as archal:
        assert archal.seeds == {"github": name}
        for objects in archal.state()["github"].values():
            for one in objects.values():
                assert moment(one.get("created_at", "2020-01-01T00:00:00Z")) <= NOW


def test_stale_issues_are_of_different_ages():
    """Some old and quiet, one lately talked of, one young."""
    with LocalArchal(seeds={"github": "stale-issues"}, clock=Clock(NOW)) as archal:
        rest = Route(archal.base_url("github"), archal.token)
        issues = rest("GET", "/repos/testuser/webshop/issues").json
        quiet = {one["number"] for one in issues if moment(one["updated_at"]) < NOW - 60 * DAY}
        assert quiet == {1, 2, 4}
        assert len(issues) == 6


def test_a_large_backlog_has_pages():
    """More open issues than one page can hold."""
    with LocalArchal(seeds={"github": "large-backlog"}) as archal:
        rest = Route(archal.base_url("github"), archal.token)
        answer = rest("GET", "/repos/testuser/webshop/issues?per_page=100")
        assert len(answer.json) == 100
        assert 'rel="next"' in answer.header("link")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"repos": []}, "github: Object contains unknown field `repos`"),
        (repositories({}), "github.repositories[0]: Object missing required field `name`"),
        (
            repositories({"name": "r", "stars": 1}),
            "github.repositories[0]: Object contains unknown",
        ),
        (repositories({"name": "a b"}), "github.repositories[0].name: is not a name of GitHub's"),
        (repositories({"name": ".."}), "github.repositories[0].name: is not a name of GitHub's"),
        (
            repositories({"name": "r"}, {"name": "R"}),
            "github.repositories[1].name: is there twice",
        ),
        (
            repositories({"name": "r", "owner": "nobody"}),
            "github.repositories[0].owner: no such user: 'nobody'",
        ),
        (
            repositories({"name": "r", "private": "yes"}),
            "github.repositories[0].private: Expected `bool`, got `str`",
        ),
        ({"users": ["a--", "b"]}, "github.users[0]: is not a login of GitHub's"),
        ({"users": ["octocat", {"login": "OctoCat"}]}, "github.users[1]: is there twice"),
        ({"users": [{"login": "a", "created": "soon"}]}, "github.users[0].created: must be an age"),
        (issue(title=" "), "github.repositories[0].issues[1].title: Expected `str` matching regex"),
        (issue(title=7), "github.repositories[0].issues[1].title: Expected `str`, got `int`"),
        (
            issue(labels=["bug", "nope"]),
            "github.repositories[0].issues[1].labels[1]: no such label: 'nope'",
        ),
        (
            issue(assignees=["testuser", "x"]),
            "github.repositories[0].issues[1].assignees[1]: no such user: 'x'",
        ),
        (issue(author="x"), "github.repositories[0].issues[1].author: no such user: 'x'"),
        (issue(state="done"), "github.repositories[0].issues[1].state: Invalid enum value 'done'"),
        (
            issue(state_reason="completed"),
            "github.repositories[0].issues[1].state_reason: does not",
        ),
        (issue(closed="1 day ago"), "github.repositories[0].issues[1].closed: does not fit"),
        (issue(created="31 days"), "github.repositories[0].issues[1].created: must be an age"),
        (issue(created="99999 weeks ago"), "github.repositories[0].issues[1].created: must be an"),
        (issue(state="x" * 900), "github.repositories[0].issues[1].state: Invalid enum value 'xx"),
        (issue(created=True), "github.repositories[0].issues[1].created: must be an age"),
        (issue(created=10**400), "github.repositories[0].issues[1].created: must be an age"),
        (issue(updated="1969-12-31"), "github.repositories[0].issues[1].updated: must be an age"),
        (
            issue(comments=[{"body": "b"}, {"body": "b", "author": "x"}]),
            "github.repositories[0].issues[1].comments[1].author: no such user: 'x'",
        ),
        (issue(comments=["b"]), "github.repositories[0].issues[1].comments[0]: Expected `object`"),
        (issue(title="\ud800"), "github.repositories[0].issues[1].title: is not Unicode text"),
        (
            repositories({"name": "r", "labels": ["x", {"name": "X"}]}),
            "github.repositories[0].labels[1]: is there twice",
        ),
        (
            repositories({"name": "r", "labels": [{"name": "x", "color": "red"}]}),
            "github.repositories[0].labels[0].color: Expected `str` matching regex",
        ),
        (
            repositories({"name": "r", "files": {"../x": ""}}),
            "github.repositories[0].files['../x']: is not a path of a file",
        ),
        (
            repositories({"name": "r", "files": {"a": "", "a/b": ""}}),
            "github.repositories[0].files['a/b']: is below another file",
        ),
        (
            repositories({"name": "r", "files": {"a": 1}}),
            "github.repositories[0].files['a']: must hold text or bytes",
        ),
        ({1: 2}, "github: has a key that is not text: 1"),
        ({"users": {"a": []}}, "github.users: Expected `array`, got `object`"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(document, words):
    """Before anything starts, so that nothing is planted by halves."""
    with pytest.raises(ConfigurationError, match=re.escape(f"seeds at {words}")):
        LocalArchal(seeds={"github": document})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b'{"users": [}', "line 1: Expecting value"),
        ("a.json", b'{"users": [], "users": []}', "the key 'users' is there twice"),
        ("a.json", b"[" * 100_000, "it is nested too deep"),
        ("a.yaml", b"users: [", "line 1: "),
        ("a.yaml", b"users: []\nusers: []\n", "line 2: the key 'users' is there twice"),
        ("a.yaml", b"a: !!python/object:os.system x", "line 1: could not determine a constructor"),
        ("a.yaml", b"\xff\xfe\x00", "it is not UTF-8"),
        ("a.yaml", b"a: \x00", ": "),
        ("a.yaml", b"--- {}\n--- {}\n", "line 2: "),
        ("a.txt", b"{}", "its name must end in .json, .yaml or .yml"),
        ("empty", b"{}", "its name must end in .json, .yaml or .yml"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, words):
    """With the line, where there is one."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        LocalArchal(seeds={"github": path})
    assert f"seeds names the file {path}: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "github: Expected `object`, got `null`"),
        (b"- a\n", "github: Expected `object`, got `array`"),
        (b"repositories: [{name: r, issues: [{title: t, labels: [x]}]}]", "no such label: 'x'"),
        (b"repositories: [{name: on}]", "github.repositories[0].name: Expected `str`, got `bool`"),
        (b"a: &a [*a]", "is nested too deep"),
        (
            b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9))
                for n in range(9)
            ),
            "github: has more than 500000 parts",
        ),
    ],
)
def test_a_file_with_a_wrong_document_is_named_with_the_key(tmp_path, content, words):
    """File and key, in one line; a few lines that grow without end are refused, too."""
    path = tmp_path / "seed.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        LocalArchal(seeds={"github": path})
    assert str(caught.value).startswith(f"seeds in {path}, at github")
    assert words in str(caught.value)


def test_what_is_missing_or_no_file_is_named(tmp_path):
    """A pipe is not waited for."""
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    no_file = "it is not a file"
    for name, words in (
        ("gone.yaml", "No such file"),
        ("folder.yaml", no_file),
        ("pipe.yaml", no_file),
    ):
        with pytest.raises(ConfigurationError, match=f"{name}: {words}"):
            LocalArchal(seeds={"github": tmp_path / name})


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ({"github": "small"}, "names the unknown github seed 'small'; available: empty, small-pro"),
        ({"github": "seed.yaml"}, "for a file, give a Path"),
        ({"slack": "empty"}, "contains 'slack', which is not among the clones: github"),
        ({"github": 7}, "must hold for github a name, a Path or a mapping"),
        ({"github": None}, "must hold for github a name, a Path or a mapping"),
        ({7: "empty"}, "contains '7', which is not among the clones"),
        ("github=empty", "must be a mapping of clone id to seed"),
    ],
)
def test_a_wrong_choice_says_what_there_is(seeds, words):
    """A name must be one of the clone's."""
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        LocalArchal(seeds=seeds)


def test_an_extra_clone_takes_names_only():
    """It has one seed, and plants nothing by itself."""
    extra = {"mine": lambda _base: None}
    assert LocalArchal(seeds={"mine": "empty"}, extra_clones=extra).seeds["mine"] == "empty"
    with pytest.raises(ConfigurationError, match="must name one of the mine clone's"):
        LocalArchal(seeds={"mine": {}}, extra_clones=extra)


def test_a_document_is_taken_as_it_is_then():
    """What is done to the mapping afterwards changes nothing."""
    document = {"users": ["octocat"], "repositories": []}
    with LocalArchal(seeds={"github": document}) as archal:
        document["users"].append("hubot")
        archal.reset()
        assert set(archal.state()["github"]["user"]) == {"testuser", "octocat"}


def test_dates_and_bytes_of_yaml_are_understood(tmp_path):
    """YAML makes dates and bytes of what looks like it."""
    path = tmp_path / "seed.yaml"
    path.write_text(
        "repositories:\n"
        "  - name: r\n"
        "    files: {a.bin: !!binary /wA=}\n"
        "    issues:\n"
        "      - {title: a, created: 2026-01-31}\n"
        "      - {title: b, created: 2026-01-31 10:00:00}\n"
        "      - {title: c, created: 2026-01-31T10:00:00+02:00}\n"
    )
    with LocalArchal(seeds={"github": path}) as archal:
        state = archal.state()["github"]
    created = [one["created_at"] for one in state["issue"].values()]
    assert created == ["2026-01-31T00:00:00Z", "2026-01-31T10:00:00Z", "2026-01-31T08:00:00Z"]
    assert state["file"]["testuser/r:a.bin"]["text"] is None


@pytest.mark.parametrize(
    "text", ["[!!bool maybe]", "!!timestamp foo", "!!int ''", "!!float ''", "!!int _", "!!map [a]"]
)
def test_a_tag_that_does_not_fit_is_told_of(tmp_path, text):
    """Of which PyYAML has errors of its own."""
    (tmp_path / "seed.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"seeds names the file .*seed\.yaml: "):
        LocalArchal(seeds={"github": tmp_path / "seed.yaml"})


@pytest.mark.parametrize("name", ["x" * 300 + ".json", "a\0.json", "\udcff.json", "a\n.json"])
def test_a_name_that_no_file_or_seed_can_have_is_told_of(tmp_path, name):
    with contextlib.suppress(OSError, ValueError):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ConfigurationError, match="seeds names the file"):
        LocalArchal(seeds={"github": tmp_path / name})


def test_a_color_is_six_digits_and_nothing_else():
    labels = [{"name": "a", "color": "ff0000\n"}]
    document = {"repositories": [{"name": "shop", "labels": labels}]}
    with pytest.raises(ConfigurationError, match=r"labels\[0\]\.color"):
        LocalArchal(seeds={"github": document})


@pytest.mark.parametrize("seeds", [[], "", 0])
def test_what_is_no_mapping_is_refused(seeds):
    with pytest.raises(ConfigurationError, match="seeds must be a mapping of clone id to seed"):
        LocalArchal(seeds=seeds)


def test_many_files_are_planted_in_time():
    """Each at the cost of the first."""
    files = {f"src/{number}.py": "x" for number in range(10_000)}
    document = {"repositories": [{"name": "shop", "owner": "testuser", "files": files}]}
    with LocalArchal(seeds={"github": document}) as archal:
        answer = Route(archal.base_url("github"), archal.token)("GET", "/repos/testuser/shop")
    assert answer.status == 200  # within the five seconds that a test's request has


def test_a_date_that_is_none_is_told_of_by_its_line(tmp_path):
    (tmp_path / "seed.yaml").write_text("users:\n  - login: me\n    created: 2020-13-45\n")
    with pytest.raises(
        ConfigurationError, match=r"seed\.yaml: line 3: the value is not .* timestamp"
    ):
        LocalArchal(seeds={"github": tmp_path / "seed.yaml"})
