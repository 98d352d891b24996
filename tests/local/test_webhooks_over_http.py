"""The webhooks' handles below `/_archal/`, and `archal-lambda local --deliver-to`."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from support.hooked import receiver
from support.standin import Route, send

from archal_lambda.local import LocalArchal

MAIN = [sys.executable, "-c", "from archal_lambda.cli import main; main()", "local"]
JSON = {"Content-Type": "application/json"}
TARGETS, DELIVERIES, IDLE = (
    f"/_archal/webhooks/{name}" for name in ("targets", "deliveries", "idle")
)
LABELS = "/repos/testuser/webshop/labels"


@pytest.fixture
def archal():
    with LocalArchal(seeds={"github": "small-project"}) as running:
        yield running


@pytest.fixture
def here():
    with receiver() as found:
        yield found


def handle(archal, method, path, body=None, headers=JSON):
    return send(archal.api_url + path, method, json_body=body, headers=headers)


def label(archal, name):
    github = Route(archal.base_url("github"), archal.token)
    assert github("POST", LABELS, {"name": name}).status == 201


def is_signed(received, secret):
    headers, body = received
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return headers["x-hub-signature-256"] == f"sha256={digest}"


def test_a_target_is_made_told_and_removed(archal, here):
    """Programs in other languages have what Python has, but for handlers."""
    made = handle(archal, "POST", TARGETS, {"url": f"{here.url}?k=v", "events": ["label"]})
    assert made.status == 200
    assert made.json["url"] == here.url
    (listed,) = handle(archal, "GET", TARGETS).json["targets"]
    assert (listed["id"], listed["events"]) == (made.json["id"], ["label"])
    label(archal, "a")
    assert handle(archal, "GET", f"{IDLE}?timeout=5").json == {"deliveries": 1}
    assert is_signed(here.received[0], made.json["secret"])
    first = handle(archal, "GET", f"{DELIVERIES}?after=0").json
    assert first["last"] == 1
    (one,) = first["deliveries"]
    assert (one["event"], one["action"], one["status"]) == ("label", "created", 202)
    assert made.json["secret"] not in json.dumps(first)
    assert handle(archal, "POST", f"{DELIVERIES}/1/redeliver", {}).status == 204
    handle(archal, "GET", IDLE)
    (again,) = handle(archal, "GET", f"{DELIVERIES}?after=1").json["deliveries"]
    assert (again["id"], again["attempt"]) == (one["id"], 2)
    assert handle(archal, "DELETE", f"{TARGETS}/{made.json['id']}").status == 204
    label(archal, "b")
    handle(archal, "GET", IDLE)
    assert len(here.received) == 2


def test_a_secret_of_ones_own_is_not_given_back(archal, here):
    """Whoever chose it knows it."""
    made = handle(archal, "POST", TARGETS, {"url": here.url, "secret": "mine"})
    assert "secret" not in made.json
    label(archal, "a")
    handle(archal, "GET", IDLE)
    assert is_signed(here.received[0], "mine")


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (("POST", TARGETS, {"url": "http://example.com/"}), 400, "not a loopback address"),
        (("POST", TARGETS, {}), 400, "url"),
        (("POST", TARGETS, {"url": "http://127.0.0.1:1/", "secret": ""}), 400, "secret"),
        (("POST", TARGETS, {"url": "http://127.0.0.1:1/", "clone": "x"}), 400, "clone"),
        (("POST", TARGETS, {"url": "http://127.0.0.1:1/", "odd": 1}), 400, "odd"),
        (("DELETE", f"{TARGETS}/t9", None), 404, "no such target"),
        (("POST", f"{DELIVERIES}/9/redeliver", {}), 404, "no such delivery"),
        (("GET", f"{DELIVERIES}?after=x", None), 400, "after must be"),
        (("GET", f"{IDLE}?timeout=nan", None), 400, "timeout must be"),
        (("GET", f"{IDLE}?timeout=999", None), 400, "timeout must be"),
    ],
)
def test_mistakes_are_named(archal, request_, status, words):
    """In Archal's envelope."""
    answer = handle(archal, *request_)
    assert answer.status == status
    assert words in answer.json["message"]


def test_another_sites_page_may_not_use_them(archal, here):
    """The checks are those of all handles."""
    cases = [
        {**JSON, "Origin": "https://example.com"},
        {**JSON, "Host": "example.com"},
        {"Content-Type": "text/plain"},
    ]
    answers = [handle(archal, "POST", TARGETS, {"url": here.url}, headers=one) for one in cases]
    assert {one.status for one in answers} <= {400, 403, 415}
    assert handle(archal, "GET", TARGETS).json == {"targets": []}


def test_a_wait_that_is_too_short_names_what_is_pending(archal):
    """408, so that a script can tell it from success."""
    archal.webhooks.deliver_to(lambda *_: time.sleep(0.3))
    label(archal, "a")
    answer = handle(archal, "GET", f"{IDLE}?timeout=0.05")
    assert answer.status == 408
    assert "github label to" in answer.json["message"]
    assert handle(archal, "GET", IDLE).status == 200


def test_a_wait_leaves_no_thread():
    """Not even one that is under way when the local Archal stops."""
    before = set(threading.enumerate())
    go = threading.Event()
    with LocalArchal(seeds={"github": "small-project"}) as archal:
        archal.webhooks.deliver_to(lambda *_: go.wait(0.3))
        label(archal, "a")
        with contextlib.suppress(OSError, http.client.HTTPException):
            handle(archal, "GET", f"{IDLE}?timeout=0.05")
        waiting = threading.Thread(target=wait, args=(archal,))
        waiting.start()
    waiting.join(10)
    assert set(threading.enumerate()) <= before


def wait(archal):
    with contextlib.suppress(OSError, http.client.HTTPException):
        handle(archal, "GET", IDLE)


@pytest.fixture
def running(here):
    """The command with some options; its facts and a way to its GitHub."""
    children = []

    def start(*options, **variables):
        child = subprocess.Popen(
            [
                *(*MAIN, "--json"),
                *("--seed", "github=small-project", "--deliver-to", here.url, *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **variables},
            text=True,
        )
        children.append(child)
        return json.loads(child.stdout.readline())

    yield start
    for child in children:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        child.stdout.close()


def told(facts, here):
    base = json.loads(facts["environ"]["AGENT_CLONE_URLS"])["github"]
    assert Route(base, facts["token"])("POST", LABELS, {"name": "a"}).status == 201
    assert send(f"{facts['api_url']}{IDLE}").status == 200
    return here.received[0]


def test_the_command_tells_a_url_and_prints_the_secret(running, here):
    """A random one, which nobody could know otherwise."""
    facts = running()
    assert is_signed(told(facts, here), facts["webhook_secret"])


def test_the_command_takes_a_secret_from_a_variable(running, here):
    """It is printed nowhere."""
    facts = running("--webhook-secret-env", "MY_SECRET", MY_SECRET="of my own")
    assert "of my own" not in json.dumps(facts)
    assert "webhook_secret" not in facts
    assert is_signed(told(facts, here), "of my own")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--webhook-secret-env", "NOT_SET"], "the variable NOT_SET is not set"),
        (["--deliver-to", "http://example.com"], "not a loopback address"),
        (["--deliver-to", "http://127.0.0.1:1/", "--", "true"], "needs --webhook-secret-env"),
        (["--webhook-secret-env", "PATH"], "needs --deliver-to"),
    ],
)
def test_the_command_refuses_what_cannot_be(options, words):
    """In one line, with a status that says so."""
    done = subprocess.run(
        [*MAIN, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
