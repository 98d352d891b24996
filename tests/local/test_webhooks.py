"""Deliveries of the clones to handlers, functions and loopback addresses."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import sys
import threading
import time

import pytest
from support.standin import Route

from archal_lambda.errors import ConfigurationError
from archal_lambda.invoke import Function
from archal_lambda.local import LocalArchal

ISSUES = "/repos/testuser/webshop/issues"


@pytest.fixture
def archal():
    with LocalArchal(seeds={"github": "small-project"}) as running:
        yield running


def github(archal):
    return Route(archal.base_url("github"), archal.token)


def issue(archal, title="t", **more):
    answer = github(archal)("POST", ISSUES, {"title": title, **more})
    assert answer.status == 201, answer.body
    return answer.json


class Seen(list):
    """A handler that keeps its events."""

    __qualname__ = "Seen"

    def __call__(self, event, context):
        assert context.get_remaining_time_in_millis() > 0
        self.append(event)

    @property
    def names(self):
        return [
            (event["headers"]["x-github-event"], json.loads(event["body"]).get("action"))
            for event in self
        ]


def signed(event, secret):
    digest = hmac.new(secret.encode(), event["body"].encode(), hashlib.sha256).hexdigest()
    return event["headers"]["x-hub-signature-256"] == f"sha256={digest}"


def test_a_handler_gets_what_happens_as_a_signed_event(archal):
    """The event is a Function URL's, in order, with the signature of the secret."""
    seen = Seen()
    archal.webhooks.deliver_to(seen)
    issue(archal, labels=["bug", "new"], assignees=["octocat"])
    archal.webhooks.wait_idle()
    assert seen.names == [
        ("label", "created"),
        ("issues", "opened"),
        ("issues", "labeled"),
        ("issues", "labeled"),
        ("issues", "assigned"),
    ]
    assert all(signed(event, archal.webhooks.secret) for event in seen)
    assert {event["version"] for event in seen} == {"2.0"}
    assert [one.status for one in archal.webhooks.deliveries] == [200] * 5


def test_what_a_handler_causes_is_waited_for(archal):
    """The handler comments on each new issue, which is an event of its own."""
    events = []

    def handler(event, _context):
        payload = json.loads(event["body"])
        events.append(payload["action"])
        if payload["action"] == "opened":
            path = f"{ISSUES}/{payload['issue']['number']}/comments"
            assert github(archal)("POST", path, {"body": "hello"}).status == 201
        return {"statusCode": 202}

    archal.webhooks.deliver_to(handler)
    issue(archal)
    archal.webhooks.wait_idle()
    assert events == ["opened", "created"]
    assert {one.status for one in archal.webhooks.deliveries} == {202}


def test_a_circle_is_cut_and_told(archal):
    """A handler that answers its own comments comes to an end, and so does the wait."""

    def handler(_event, _context):
        github(archal)("POST", f"{ISSUES}/1/comments", {"body": "again"})

    target = archal.webhooks.deliver_to(handler, events=["issue_comment"])
    github(archal)("POST", f"{ISSUES}/1/comments", {"body": "first"})
    with pytest.raises(RuntimeError, match=r"in a circle: github issue_comment to .*handler"):
        archal.webhooks.wait_idle()
    assert [one.error for one in archal.webhooks.deliveries].count("loop") == 1
    target.remove()
    issue(archal)
    archal.webhooks.wait_idle()


def test_a_thousand_deliveries_are_no_circle(archal):
    """Order is kept, and each is made once."""
    numbers = []
    archal.webhooks.deliver_to(
        lambda event, _: numbers.append(json.loads(event["body"])["issue"]["number"]),
        events=["issues.opened"],
    )
    made = [issue(archal, str(number))["number"] for number in range(1000)]
    archal.webhooks.wait_idle(timeout=30)
    assert numbers == made


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (lambda *_: 1 / 0, "ZeroDivisionError"),
        (lambda *_: sys.exit(3), "SystemExit"),
        (lambda *_: (_ for _ in ()).throw(KeyboardInterrupt), "KeyboardInterrupt"),
    ],
)
def test_a_handler_that_fails_is_recorded(archal, handler, error):
    """Nothing is raised, and the next delivery is made."""
    archal.webhooks.deliver_to(handler)
    issue(archal)
    issue(archal)
    archal.webhooks.wait_idle()
    assert [(one.status, one.error) for one in archal.webhooks.deliveries] == [(502, error)] * 2


def test_a_handler_that_hangs_is_given_up(archal):
    """The wait names it while it may still return; then the next delivery is made."""
    go = threading.Event()
    done = []

    def handler(event, _context):
        done.append(event)
        if len(done) == 1:
            go.wait(10)

    archal.webhooks.deliver_to(handler, timeout=0.3)
    issue(archal)
    issue(archal)
    with pytest.raises(TimeoutError, match=r"github issues to .*handler \(under way\), github"):
        archal.webhooks.wait_idle(timeout=0.05)
    archal.webhooks.wait_idle()
    assert [one.error for one in archal.webhooks.deliveries] == ["TimeoutError", None]
    go.set()


@pytest.mark.parametrize(
    ("shape", "where"),
    [
        ("function-url", lambda event: event["body"]),
        ("http-api", lambda event: event["body"]),
        ("rest-api", lambda event: event["body"]),
        ("alb", lambda event: event["body"]),
        ("alb-multi", lambda event: event["body"]),
        ("sqs", lambda event: event["Records"][0]["body"]),
        ("sns", lambda event: event["Records"][0]["Sns"]["Message"]),
        ("eventbridge", lambda event: json.dumps(event["detail"])),
    ],
)
def test_each_shape_carries_the_payload(archal, shape, where):
    """The event is as AWS makes it, and the payload is where its shape has it."""
    titles = []
    archal.webhooks.deliver_to(
        lambda event, _: titles.append(json.loads(where(event))["issue"]["title"]), shape
    )
    issue(archal, "here")
    archal.webhooks.wait_idle()
    assert titles == ["here"]


def test_a_wait_from_the_servers_own_threads_is_refused():
    """Neither a handler nor `on_request` can wait for itself."""
    errors = []

    def wait(*_):
        try:
            archal.webhooks.wait_idle()
        except RuntimeError as error:
            errors.append(str(error))

    with LocalArchal(seeds={"github": "small-project"}, on_request=wait) as archal:
        archal.webhooks.deliver_to(wait)
        issue(archal)
        archal.webhooks.wait_idle()
    assert sorted(words[:9] for words in errors) == ["a webhook", "this is t"]


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), 1e300, "x", None, True])
def test_a_wait_has_an_end(archal, timeout):
    """In seconds."""
    with pytest.raises(ConfigurationError, match="timeout must be"):
        archal.webhooks.wait_idle(timeout)


def test_a_url_that_drips_is_given_up(archal):
    """The whole delivery has a limit, and nothing of it is left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    gone.wait(0.02)

        gone = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        archal.webhooks.deliver_to(url, timeout=0.3)
        issue(archal)
        archal.webhooks.wait_idle()
        thread.join(10)
        assert not thread.is_alive()
    (delivery,) = archal.webhooks.deliveries
    assert delivery.error == "TimeoutError"


def test_duplicates_have_the_id_of_the_first(archal):
    """At least once means that a handler has to tell them apart."""
    seen = Seen()
    archal.webhooks.deliver_to(seen, duplicates=2)
    issue(archal)
    issue(archal)
    archal.webhooks.wait_idle()
    ids = [event["headers"]["x-github-delivery"] for event in seen]
    assert len(seen) == 6
    assert len(set(ids)) == 2


def test_disorder_is_the_same_for_the_same_seed():
    """It is held until the wait, so that no timing has a part in it."""

    def order(seed):
        with LocalArchal(seeds={"github": "small-project"}) as archal:
            titles = []
            archal.webhooks.deliver_to(
                lambda event, _: titles.append(json.loads(event["body"])["issue"]["title"]),
                shuffle=seed,
                duplicates=1,
            )
            for title in "abcdef":
                issue(archal, title)
            assert titles == []
            archal.webhooks.wait_idle()
            return "".join(titles)

    first = order(1)
    assert sorted(first) == sorted("abcdef" * 2)
    assert first != "aabbccddeeff"
    assert order(1) == first
    assert order(2) != first


def test_redelivery_is_another_attempt_at_the_same(archal):
    """The id and the payload stay, whatever has happened to the issue since."""
    seen = Seen()
    archal.webhooks.deliver_to(seen)
    issue(archal)
    archal.webhooks.wait_idle()
    archal.webhooks.redeliver(archal.webhooks.deliveries[0])
    archal.webhooks.wait_idle()
    first, second = archal.webhooks.deliveries
    assert (first.id, first.body, first.attempt) == (second.id, second.body, 1)
    assert second.attempt == 2
    assert seen[0]["body"] == seen[1]["body"]


def test_what_is_removed_is_told_no_more(archal):
    """Neither what happens next, nor what is asked for again."""
    seen = Seen()
    with archal.webhooks.deliver_to(seen):
        issue(archal)
        archal.webhooks.wait_idle()
    issue(archal)
    archal.webhooks.wait_idle()
    assert len(seen) == 1
    (delivery,) = archal.webhooks.deliveries
    with pytest.raises(ConfigurationError, match="was removed"):
        archal.webhooks.redeliver(delivery)
    archal.webhooks.deliver_to(seen)
    archal.webhooks.clear()
    issue(archal)
    archal.webhooks.wait_idle()
    assert (len(seen), archal.webhooks.deliveries) == (1, ())


def test_records_have_no_secret(archal):
    """Neither the handle nor a delivery shows what it is signed with."""
    target = archal.webhooks.deliver_to(Seen(), secret="my-own-secret")
    issue(archal, "my-own-secret")
    archal.webhooks.wait_idle()
    (delivery,) = archal.webhooks.deliveries
    shown = f"{target!r} {delivery!r} {delivery.headers} {delivery.body} {archal.webhooks!r}"
    assert "my-own-secret" not in shown
    assert dict(delivery.headers)["x-hub-signature-256"] == "[redacted]"
    with pytest.raises(ConfigurationError, match="shape") as caught:
        archal.webhooks.deliver_to(Seen(), "nothing", secret="my-own-secret")
    frames = []
    traceback = caught.value.__traceback__
    while traceback is not None:
        if "archal_lambda/" in traceback.tb_frame.f_code.co_filename:
            frames.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert "my-own-secret" not in "".join(frames)


def test_a_function_is_invoked_in_its_own_process(archal, tmp_path):
    """It calls the clone as any function does, and what it returns is the response."""
    (tmp_path / "app.py").write_text(
        "import json\n"
        "from archal_lambda import Clones\n"
        "def handler(event, context):\n"
        "    number = json.loads(event['body'])['issue']['number']\n"
        "    github = Clones.from_env()['github']\n"
        f"    path = f'{ISSUES}/{{number}}/comments'\n"
        "    github.post(path, json={'body': 'seen'}, token='t').raise_for_status()\n"
        "    return {'statusCode': 202}\n"
    )
    function = Function("app.handler", name="greeter", root=tmp_path, variables=archal.environ)
    archal.webhooks.deliver_to(function, events=["issues.opened"])
    number = issue(archal)["number"]
    archal.webhooks.wait_idle(timeout=30)
    (delivery,) = archal.webhooks.deliveries
    assert (delivery.target, delivery.status, delivery.error) == ("greeter", 202, None)
    said = github(archal)("GET", f"{ISSUES}/{number}/comments").json
    assert [comment["body"] for comment in said] == ["seen"]


def test_a_reset_keeps_targets_and_drops_what_is_queued(archal):
    """What is under way goes on."""
    began, go, titles = threading.Event(), threading.Event(), []

    def handler(event, _context):
        titles.append(json.loads(event["body"])["issue"]["title"])
        began.set()
        go.wait(10)

    archal.webhooks.deliver_to(handler)
    for title in "abc":
        issue(archal, title)
    began.wait(10)
    archal.reset()
    go.set()
    issue(archal, "d")
    archal.webhooks.wait_idle()
    assert titles == ["a", "d"]


def test_a_stop_in_the_middle_leaves_no_thread():
    """Neither what is queued nor what is under way holds it up."""
    before = set(threading.enumerate())
    go = threading.Event()
    with LocalArchal(seeds={"github": "small-project"}) as archal:
        archal.webhooks.deliver_to(lambda *_: go.wait(0.2))
        for _ in range(5):
            issue(archal)
    assert set(threading.enumerate()) <= before
    assert len(archal.webhooks.deliveries) <= 1


def test_a_handler_that_never_returns_does_not_hold_up_the_end(caplog):
    """Its thread is left to the process, and a warning names it."""
    began, go = threading.Event(), threading.Event()

    def handler(*_):
        began.set()
        go.wait(30)

    with LocalArchal(seeds={"github": "small-project"}) as archal:
        archal.webhooks.deliver_to(handler)
        issue(archal)
        began.wait(10)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert "is left running: its handler does not return" in caplog.text
    go.set()


def test_targets_outlive_a_stop():
    """As faults do: what is started again is told again."""
    seen = Seen()
    archal = LocalArchal(seeds={"github": "small-project"})
    archal.webhooks.deliver_to(seen)
    archal.webhooks.wait_idle()
    for _ in range(2):
        with archal:
            issue(archal)
            archal.webhooks.wait_idle()
    assert [one.number for one in archal.webhooks.deliveries] == [1, 2]
    with pytest.raises(RuntimeError, match="does not run"):
        archal.webhooks.redeliver(archal.webhooks.deliveries[0])


def test_several_are_made_at_once_if_it_is_asked_for(archal):
    """All three are under way before the first returns."""
    together = threading.Barrier(3)
    archal.webhooks.deliver_to(lambda *_: together.wait(10) and None, concurrency=3)
    for _ in range(3):
        issue(archal)
    archal.webhooks.wait_idle()
    assert {one.error for one in archal.webhooks.deliveries} == {None}


def test_two_local_archals_have_secrets_and_deliveries_of_their_own(archal):
    """What happens in one is not told to the other."""
    mine, theirs = Seen(), Seen()
    with LocalArchal(seeds={"github": "small-project"}) as other:
        archal.webhooks.deliver_to(mine)
        other.webhooks.deliver_to(theirs)
        issue(other)
        other.webhooks.wait_idle()
        archal.webhooks.wait_idle()
        assert (mine, len(theirs)) == ([], 1)
        assert archal.webhooks.secret != other.webhooks.secret


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"target": "https://example.com/hook"}, "target: is not a loopback address"),
        ({"target": "http://2130706433/hook"}, "target: is not a loopback address"),
        ({"target": "ftp://127.0.0.1/"}, "target: is not a loopback address"),
        ({"target": "http://127.0.0.1:1/", "shape": "sqs"}, "shape: is for handlers"),
        ({"target": 3}, "target: must be handler"),
        ({"clone": "slack"}, "clone: must be one of the session's: github"),
        ({"events": "issues"}, "events: must be several names"),
        ({"events": [5]}, "events: must be several names"),
        ({"events": 5}, "events: must be several names"),
        ({"secret": ""}, "secret: must be a text that is not empty"),
        ({"secret": 5}, "secret: must be a text that is not empty"),
        ({"duplicates": -1}, "duplicates: must be a whole number from 0"),
        ({"concurrency": 0}, "concurrency: must be a whole number from 1"),
        ({"shuffle": "x"}, "shuffle: must be a whole number"),
        ({"timeout": 0}, "timeout: must be seconds above 0, at most 3600"),
        ({"timeout": 1e300}, "timeout: must be seconds above 0"),
        ({"timeout": "x"}, "timeout: must be seconds above 0"),
        ({"path": "hook"}, "path: must be a text that begins with /"),
        ({"path": 5}, "path: must be a text that begins with /"),
    ],
)
def test_wrong_arguments_are_refused(archal, arguments, error):
    """Each by its name."""
    with pytest.raises(ConfigurationError) as caught:
        archal.webhooks.deliver_to(**{"target": Seen(), **arguments})
    assert error.partition(":")[2] in str(caught.value)
    assert str(caught.value).startswith(error.partition(":")[0])
