"""Faults by HTTP, for programs in other languages and for the page."""

from __future__ import annotations

import json

import pytest
from support.standin import route, send

from archal_lambda.local import LocalArchal

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def archal():
    with LocalArchal() as running:
        yield running


def ask(archal, method, path="", body=None, headers=JSON):
    return send(f"{archal.api_url}/_archal/faults{path}", method, json_body=body, headers=headers)


def test_make_list_and_remove(archal):
    """As in Python, with the keys in camel case."""
    github = route(archal)
    rule = {
        "clone": "github",
        "method": "GET",
        "path": "/user",
        "status": 503,
        "retryAfter": 1,
        "times": 5,
    }

    made = ask(archal, "POST", body=rule)
    answer = github("GET", "/user")
    listed = ask(archal, "GET")
    removed = ask(archal, "DELETE", f"/{made.json['id']}")

    assert (made.status, made.json) == (200, {"id": "f1"})
    assert (answer.status, answer.header("retry-after")) == (503, "1")
    assert listed.json == {"faults": [{"id": "f1", **rule, "hits": 1}]}
    assert (removed.status, removed.body) == (204, b"")
    assert ask(archal, "GET").json == {"faults": []}
    assert github("GET", "/user").status == 200


def test_all_are_removed_at_once(archal):
    handle = archal.fault("github", delay=1)
    ask(archal, "POST", body={"reset": True})
    assert [one["id"] for one in ask(archal, "GET").json["faults"]] == [handle.id, "f2"]

    assert ask(archal, "DELETE").status == 204

    assert ask(archal, "GET").json == {"faults": []}
    missing = ask(archal, "DELETE", "/f1")
    assert (missing.status, missing.json["code"]) == (404, "fault_not_found")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "fault needs an effect"),
        ({"status": 200}, "status must be a status from 400 to 599"),
        ({"status": "503"}, "`$.status`"),
        ({"statsu": 503}, "`statsu`"),
        ({"clone": "gitlab", "status": 503}, "clone is the unknown 'gitlab'"),
        ({"status": 503, "cut": 1}, "cut is a second effect beside status"),
    ],
)
def test_a_wrong_rule_is_told(archal, body, told):
    answer = ask(archal, "POST", body=body)

    assert answer.status == 400
    assert told in answer.json["message"]
    assert ask(archal, "GET").json == {"faults": []}


def test_no_page_of_another_site_can_make_one(archal):
    body = {"status": 503}

    foreign = ask(archal, "POST", body=body, headers={**JSON, "Origin": "https://evil.test"})
    form = ask(archal, "POST", body=body, headers={"Content-Type": "text/plain"})

    assert (foreign.status, form.status) == (403, 415)
    assert json.loads(ask(archal, "GET").body) == {"faults": []}
