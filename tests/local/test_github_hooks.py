"""The GitHub clone's hooks: their API, what they are sent, and what is told of that."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import sys
from urllib.parse import parse_qs

import github as pygithub
import jsonschema_rs
import pytest
from support.hooked import receiver
from support.pygithub import RoutedToken
from support.standin import Route

from archal_lambda import Clones
from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal

REPO = "/repos/testuser/webshop"
HOOKS = f"{REPO}/hooks"
T_REPO = "/repos/{owner}/{repo}"
T_HOOKS = f"{T_REPO}/hooks"
T_HOOK = f"{T_HOOKS}/{{hook_id}}"
T_DELIVERIES = f"{T_HOOK}/deliveries"
SECRET = "a secret of the hook"


@pytest.fixture
def archal():
    with LocalArchal(seeds={"github": "small-project"}) as running:
        yield running


@pytest.fixture
def github(archal):
    return Route(archal.base_url("github"), archal.token)


@pytest.fixture
def here():
    with receiver() as found:
        yield found


def hook(github, url, **more):
    config = {"url": url, "content_type": "json", "secret": SECRET}
    body = {"config": config, "events": ["*"], **more}
    answer = github("POST", HOOKS, body)
    assert answer.status == 201, answer.body
    return answer.json


def names(received):
    return [
        (headers["x-github-event"], json.loads(body).get("action")) for headers, body in received
    ]


def test_the_api_of_hooks_is_as_github_describes_it(archal, github, contract, here):
    """Every operation and refusal of one visit validates, and none shows the secret."""
    config = {"url": here.url, "content_type": "json", "secret": SECRET, "insecure_ssl": 0}
    made = github("POST", HOOKS, {"config": config, "events": ["issues"]})
    number = made.json["id"]
    archal.webhooks.wait_idle()
    one = f"{HOOKS}/{number}"
    script = [
        ("POST", T_HOOKS, HOOKS, {"config": {"url": here.url}, "events": ["push"]}, 201),
        ("POST", T_HOOKS, HOOKS, {"config": config, "events": ["issues"]}, 422),
        ("POST", T_HOOKS, HOOKS, {"name": "mail", "config": config}, 422),
        ("POST", T_HOOKS, HOOKS, {"config": {}}, 422),
        ("POST", T_HOOKS, HOOKS, {}, 422),
        ("POST", T_HOOKS, HOOKS, {"config": {"url": "not a url"}}, 422),
        ("POST", T_HOOKS, HOOKS, {"config": config, "events": ["odd"]}, 422),
        ("POST", T_HOOKS, HOOKS, {"config": {**config, "content_type": "xml"}}, 422),
        ("POST", T_HOOKS, "/repos/testuser/none/hooks", {"config": config}, 404),
        ("GET", T_HOOKS, HOOKS, None, 200),
        ("GET", T_HOOK, one, None, 200),
        ("GET", T_HOOK, f"{HOOKS}/999", None, 404),
        ("PATCH", T_HOOK, one, {"active": True, "add_events": ["label"]}, 200),
        ("PATCH", T_HOOK, one, {"remove_events": ["label"]}, 200),
        ("PATCH", T_HOOK, one, {"config": {"content_type": "json"}}, 422),
        ("PATCH", T_HOOK, f"{HOOKS}/999", {}, 404),
        ("GET", f"{T_HOOK}/config", f"{one}/config", None, 200),
        ("PATCH", f"{T_HOOK}/config", f"{one}/config", {"secret": SECRET}, 200),
        ("POST", f"{T_HOOK}/pings", f"{one}/pings", None, 204),
        ("POST", f"{T_HOOK}/tests", f"{one}/tests", None, 204),
        ("GET", T_DELIVERIES, f"{one}/deliveries", None, 200),
        ("DELETE", T_HOOK, one, None, 204),
        ("DELETE", T_HOOK, one, None, 404),
    ]
    contract.check("POST", T_HOOKS, made)
    for method, template, path, body, status in script:
        answer = github(method, path, body)
        assert answer.status == status, (method, path, answer.body)
        contract.check(method, template, answer)
        assert SECRET.encode() not in answer.body
    assert made.json["config"]["secret"] == "********"
    assert github("GET", HOOKS, credential=None).status == 401


def test_a_new_hook_is_pinged_and_signed(archal, github, here):
    """The headers are GitHub's, and the signatures those of the secret."""
    made = hook(github, here.url)
    archal.webhooks.wait_idle()
    ((headers, body),) = here.received
    payload = json.loads(body)
    assert headers["x-github-event"] == "ping"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-github-delivery"])
    assert headers["x-github-hook-id"] == str(made["id"]) == str(payload["hook_id"])
    assert headers["x-github-hook-installation-target-type"] == "repository"
    assert headers["x-github-hook-installation-target-id"] == str(payload["repository"]["id"])
    assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert headers["content-type"] == "application/json"
    for name, digest in (("x-hub-signature", "sha1"), ("x-hub-signature-256", "sha256")):
        expected = hmac.new(SECRET.encode(), body, getattr(hashlib, digest)).hexdigest()
        assert headers[name] == f"{digest}={expected}"
    assert payload["hook"]["config"]["secret"] == "********"


def test_a_form_carries_the_payload_and_is_signed_whole(archal, github, here):
    """GitHub's other content type, which is the default of its API."""
    config = {"url": here.url, "secret": SECRET}
    github("POST", HOOKS, {"config": config})
    archal.webhooks.wait_idle()
    ((headers, body),) = here.received
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    (payload,) = parse_qs(body.decode())["payload"]
    assert json.loads(payload)["zen"]
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == f"sha256={expected}"


def test_payloads_are_as_github_describes_them(archal, github, contract, here):
    """Each event of one long visit validates against GitHub's description of its payload."""
    hook(github, here.url)
    content = base64.b64encode(b"x").decode()
    issue = f"{REPO}/issues/1"
    comment = github("POST", f"{issue}/comments", {"body": "c"}).json["id"]
    steps = [
        ("POST", f"{REPO}/issues", {"title": "t", "labels": ["bug"], "assignees": ["octocat"]}),
        ("PATCH", issue, {"title": "other", "body": "b"}),
        ("PATCH", issue, {"state": "closed"}),
        ("PATCH", issue, {"state": "open", "assignees": []}),
        ("PUT", f"{issue}/labels", {"labels": ["fresh"]}),
        ("DELETE", f"{issue}/labels", None),
        ("PATCH", f"{REPO}/issues/comments/{comment}", {"body": "d"}),
        ("DELETE", f"{REPO}/issues/comments/{comment}", None),
        ("POST", f"{REPO}/labels", {"name": "l"}),
        ("PATCH", f"{REPO}/labels/l", {"color": "aabbcc", "new_name": "m"}),
        ("DELETE", f"{REPO}/labels/m", None),
        ("PUT", f"{REPO}/contents/a", {"message": "m", "content": content}),
        ("PATCH", REPO, {"description": "d"}),
        ("PATCH", REPO, {"private": True}),
        ("PATCH", REPO, {"private": False}),
        ("PATCH", REPO, {"name": "shop"}),
        ("PATCH", "/repos/testuser/shop", {"archived": True}),
    ]
    for method, path, body in steps:
        assert github(method, path, body).status in {200, 201, 204}, (method, path)
    archal.webhooks.wait_idle()
    told = names(here.received)
    assert {
        ("ping", None),
        ("issues", "opened"),
        ("issues", "edited"),
        ("issues", "closed"),
        ("issues", "reopened"),
        ("issues", "labeled"),
        ("issues", "unlabeled"),
        ("issues", "assigned"),
        ("issues", "unassigned"),
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("issue_comment", "deleted"),
        ("label", "created"),
        ("label", "edited"),
        ("label", "deleted"),
        ("push", None),
        ("repository", "edited"),
        ("repository", "privatized"),
        ("repository", "publicized"),
        ("repository", "renamed"),
        ("repository", "archived"),
    } == set(told)
    for (event, action), (_, body) in zip(told, here.received, strict=True):
        payload = json.loads(body)
        contract.check_webhook(event, action, payload)
    del payload["sender"]  # else the check would mean nothing
    with pytest.raises(jsonschema_rs.ValidationError):
        contract.check_webhook(event, action, payload)


def test_a_change_by_a_tool_is_told_as_well(archal, github, here):
    """MCP is another door to the same clone."""
    hook(github, here.url, events=["issues"])
    with Clones.from_env(archal.environ) as clones:
        arguments = {"owner": "testuser", "repo": "webshop", "title": "by tool"}
        clones["github"].mcp.call("create_issue", arguments)
    archal.webhooks.wait_idle()
    assert names(here.received) == [("ping", None), ("issues", "opened")]


def test_only_the_events_of_an_active_hook_are_sent(archal, github, here):
    """A hook that is switched off is sent nothing, and neither is one that is deleted."""
    made = hook(github, here.url, events=["label"], active=False)
    one = f"{HOOKS}/{made['id']}"
    github("POST", f"{REPO}/labels", {"name": "a"})
    github("PATCH", one, {"active": True})
    github("POST", f"{REPO}/issues", {"title": "t"})
    github("POST", f"{REPO}/labels", {"name": "b"})
    github("DELETE", one)
    github("POST", f"{REPO}/labels", {"name": "c"})
    archal.webhooks.wait_idle()
    assert names(here.received) == [("label", "created")]
    assert json.loads(here.received[0][1])["label"]["name"] == "b"


def test_deliveries_are_listed_and_made_again(archal, github, contract, here):
    """The same id and payload, with the response of each attempt."""
    made = hook(github, here.url)
    archal.webhooks.wait_idle()
    here.status = 500
    github("POST", f"{REPO}/labels", {"name": "a"})
    archal.webhooks.wait_idle()
    listed = github("GET", f"{HOOKS}/{made['id']}/deliveries")
    contract.check("GET", T_DELIVERIES, listed)
    last, first = listed.json
    assert (first["event"], first["status"], first["status_code"]) == ("ping", "OK", 200 + 2)
    assert (last["event"], last["status_code"], last["redelivery"]) == ("label", 500, False)
    state = github("GET", f"{HOOKS}/{made['id']}").json["last_response"]
    assert (state["code"], state["status"]) == (500, "error")
    one = f"{HOOKS}/{made['id']}/deliveries/{last['id']}"
    detail = github("GET", one)
    contract.check("GET", f"{T_DELIVERIES}/{{delivery_id}}", detail)
    assert detail.json["request"]["payload"]["label"]["name"] == "a"
    assert detail.json["response"]["payload"] == "thanks"
    here.status = 200
    again = github("POST", f"{one}/attempts", {})
    assert again.status == 202
    contract.check("POST", f"{T_DELIVERIES}/{{delivery_id}}/attempts", again)
    archal.webhooks.wait_idle()
    newest = github("GET", f"{HOOKS}/{made['id']}/deliveries?per_page=1")
    (item,) = newest.json
    assert (item["guid"], item["redelivery"], item["status_code"]) == (last["guid"], True, 200)
    assert here.received[-1][1] == here.received[-2][1]
    assert archal.webhooks.deliveries[-1].attempt == 2
    link = newest.header("link")
    cursor = re.search(r"cursor=(\w+)", link)[1]
    older = github("GET", f"{HOOKS}/{made['id']}/deliveries?cursor={cursor}&status=failure").json
    assert [one["id"] for one in older] == [last["id"]]
    assert github("GET", f"{HOOKS}/{made['id']}/deliveries?cursor=odd").status == 422
    assert github("GET", f"{HOOKS}/{made['id']}/deliveries/999999").status == 404


def test_a_hook_that_nobody_answers_is_recorded(archal, github):
    """A port that is closed: the delivery has failed, and nothing is raised."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    made = hook(github, f"http://localhost:{port}/x?token=abc")
    archal.webhooks.wait_idle()
    (delivery,) = archal.webhooks.deliveries
    assert (delivery.error, delivery.status) == ("ConnectionRefusedError", None)
    assert delivery.target == f"http://localhost:{port}/x"
    (item,) = github("GET", f"{HOOKS}/{made['id']}/deliveries").json
    assert item["status"].startswith("failed to connect")


def test_nothing_is_sent_off_this_machine():
    """Neither DNS nor a connection: every address that a hook may name is refused before."""
    asked = []
    watching = True

    def watch(event, arguments):
        if watching and event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.connect"}:
            asked.append((event, arguments))

    sys.addaudithook(watch)  # which stays until the process ends
    urls = [
        "https://example.com/hook",
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest",
        "http://[2001:db8::1]/hook",
        "http://2130706433/hook",
        "http://127.0.0.1.example.com/hook",
        "http://user@example.com:80/@127.0.0.1",
        "http://127.1/hook",
    ]
    try:
        with LocalArchal(seeds={"github": "small-project"}) as archal:
            github = Route(archal.base_url("github"), archal.token)
            port = int(archal.api_url.rpartition(":")[2])
            for url in urls:
                hook(github, url)
            archal.webhooks.wait_idle()
            records = archal.webhooks.deliveries
    finally:
        watching = False
    assert {one.error for one in records} == {"not a loopback address"}
    assert len(records) == len(urls)
    others = [
        (event, arguments)
        for event, arguments in asked
        if event != "socket.connect" or arguments[1] != ("127.0.0.1", port)
        if not (event == "socket.getaddrinfo" and arguments[:2] == ("127.0.0.1", port))
    ]
    assert others == []


def test_hooks_are_state(archal, github, here):
    """A reset drops them, a mark holds them, and a change tells of them without credentials."""
    mark = archal.snapshot()
    url = here.url.replace("//", "//user:hidden@")
    made = hook(github, f"{url}?token=hidden")
    archal.webhooks.wait_idle()
    (change,) = archal.diff(mark)
    assert change.kind == "hook"
    assert "hidden" not in str(change)
    assert SECRET not in str(archal.state())
    kept = archal.snapshot()
    archal.reset()
    assert github("GET", HOOKS).json == []
    archal.restore(kept)
    assert [one["id"] for one in github("GET", HOOKS).json] == [made["id"]]
    here.received.clear()
    github("POST", f"{REPO}/labels", {"name": "a"})
    archal.webhooks.wait_idle()
    assert names(here.received) == [("label", "created")]


def test_a_seed_may_have_hooks(here):
    """They are there from the beginning, and again after a reset."""
    hooks = [{"url": here.url, "events": ["label"], "secret": SECRET}]
    seed = {"repositories": [{"name": "webshop", "hooks": hooks}]}
    with LocalArchal(seeds={"github": seed}) as archal:
        github = Route(archal.base_url("github"), archal.token)
        for _ in range(2):
            github("POST", f"{REPO}/labels", {"name": "a"})
            archal.webhooks.wait_idle()
            archal.reset()
    assert names(here.received) == [("label", "created")] * 2
    assert here.received[0][0]["x-hub-signature-256"].startswith("sha256=")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "ftp://x:pass@y"}, r"hooks\[0\]\.url: is not an http"),
        ({"url": "http://127.0.0.1/", "events": ["odd"]}, r"hooks\[0\]\.events\[0\]: no such"),
        ({"url": "http://127.0.0.1/", "odd": 1}, r"hooks\[0\]: .*odd"),
        ({"secret": "s"}, r"hooks\[0\]: .*url"),
    ],
)
def test_a_wrong_hook_of_a_seed_is_named(wrong, words):
    """By its key, without its URL."""
    seed = {"repositories": [{"name": "webshop", "hooks": [wrong]}]}
    with pytest.raises(ConfigurationError, match=words) as caught:
        LocalArchal(seeds={"github": seed})
    assert "pass" not in str(caught.value)


def test_a_watcher_of_everything_sees_repositories_come_and_go(archal, github):
    """A repository's own hooks come after it is made, and go with it."""
    seen = []
    archal.webhooks.deliver_to(
        lambda event, _: seen.append(json.loads(event["body"])["action"]), events=["repository"]
    )
    github("POST", "/user/repos", {"name": "new"})
    github("DELETE", "/repos/testuser/new")
    archal.webhooks.wait_idle()
    assert seen == ["created", "deleted"]


def test_pygithub_makes_and_pings_a_hook(archal, here):
    """A vendor's SDK finds what it expects."""
    route = {"x-route-authorization": f"Bearer {archal.token}"}
    auth = RoutedToken("any", route)
    with pygithub.Github(
        base_url=archal.base_url("github"),
        auth=auth,
        retry=None,
        seconds_between_writes=0,
        seconds_between_requests=0,
    ) as client:
        repo = client.get_repo("testuser/webshop")
        made = repo.create_hook("web", {"url": here.url, "content_type": "json"}, ["issues"])
        made.ping()
        assert isinstance(made, pygithub.Hook.Hook)
        assert [one.id for one in repo.get_hooks()] == [made.id]
        archal.webhooks.wait_idle()
        assert [one.event for one in repo.get_hook_deliveries(made.id)] == ["ping", "ping"]
        made.edit("web", {"url": here.url, "content_type": "json"}, events=["label"])
        assert repo.get_hook(made.id).events == ["label"]
        made.delete()


@pytest.mark.parametrize("path", ["", "/config"])
def test_a_change_that_is_refused_changes_nothing(github, here, path):
    """By whichever of the two paths."""
    one = f"{HOOKS}/{hook(github, here.url)['id']}"
    before = github("GET", one).json["config"]
    config = {"url": "http://127.0.0.1:1/other", "content_type": "bad"}
    body = config if path else {"config": config, "active": False}
    assert github("PATCH", f"{one}{path}", body).status == 422
    after = github("GET", one).json
    assert (after["config"], after["active"]) == (before, True)


def test_a_change_keeps_the_rules_of_a_creation(github, here):
    """Two hooks of one event have two URLs, and each has an event."""
    hook(github, here.url, events=["issues"])
    second = f"{HOOKS}/{hook(github, f'{here.url}other', events=['issues'])['id']}"
    assert github("PATCH", second, {"config": {"url": here.url}}).status == 422
    assert github("PATCH", second, {"remove_events": ["issues"]}).status == 422
    assert github("PATCH", second, {"active": False}).status == 200


def test_the_credentials_of_a_url_are_sent(archal, github, here):
    """As Basic authorization, and told nowhere."""
    hook(github, here.url.replace("http://", "http://me:p%40ss@"))
    archal.webhooks.wait_idle()
    ((headers, _),) = here.received
    assert headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    for told in (archal.webhooks.deliveries, archal.state()):
        assert not re.search(r"p(@|%40)ss", repr(told))
