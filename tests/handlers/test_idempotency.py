"""What comes twice is done once: both writers, with boto3 and DynamoDB's API on loopback."""

from __future__ import annotations

import datetime as dt
import http.server
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import ClassVar

import pytest
from support import dynamodb

from archal_lambda import Clones, Response, idempotency
from archal_lambda.handlers import create_repo, scenario_worker
from archal_lambda.idempotency import NotRunError, Once
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext
from archal_lambda.transports.mock import MockTransport

EVENTS = Path(__file__).parents[2] / "events"
EVENT = json.loads((EVENTS / "create_repo.json").read_text())
VARIABLE = "ARCHAL_LAMBDA_IDEMPOTENCY_TABLE"
LAMBDA_SECONDS = 20.0  # CreateRepo's timeout


@pytest.fixture(scope="module")
def tables():
    """DynamoDB, once for all of these tests."""
    with dynamodb.serving() as served:
        yield served


@pytest.fixture
def table(tables, monkeypatch):
    """A table that the handlers use."""
    for name, value in tables.environ.items():
        monkeypatch.setenv(name, value)
    name = tables.create(f"table-{uuid.uuid4()}")
    monkeypatch.setenv(VARIABLE, name)
    forget()
    yield name
    forget()


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        forget()
        yield local
        forget()


def forget():
    """Let the handlers begin as in a new process."""
    for handler in (create_repo, scenario_worker):
        handler.clones.cache_clear()
        handler.once.cache_clear()


def post(key="a-key", name="made", timeout=LAMBDA_SECONDS, **changes):
    """Invoke `create_repo`; give status and decoded body."""
    body = changes.pop("body", json.dumps({"name": name}))
    headers = {"content-type": "application/json"} | (
        {} if key is None else {"Idempotency-Key": key}
    )
    event = EVENT | {"headers": headers, "body": body} | changes
    result = create_repo.handler(event, LocalContext(timeout=timeout))
    return result["statusCode"], json.loads(result["body"])


def clones_answering(monkeypatch, handler, module=create_repo):
    """Make the clones of a handler answer with a function of requests; give what they were asked."""
    seen = []

    def answer(request):
        seen.append(request)
        return handler(len(seen))

    environ = {
        "AGENT_CLONE_URLS": '{"github": "https://clone.test/github/api"}',
        "ARCHAL_TOKEN": "secret-token",
    }
    clones = Clones.from_env(environ, transport=MockTransport(answer))
    cached = lambda: clones  # noqa: E731 - with an attribute
    cached.cache_clear = lambda: None
    monkeypatch.setattr(module, "clones", cached)
    return seen


def made(number):
    """Answer like GitHub that it is done."""
    repo = {"id": number, "full_name": "me/made", "html_url": "https://x.test", "private": False}
    return Response(201, json=repo)


def lines(handler, invoke):
    """Give the log lines of a call."""
    before = handler.logger.registered_handler.setStream(stream := io.StringIO())
    try:
        invoke()
    finally:
        handler.logger.registered_handler.setStream(before)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_same_request_is_carried_out_once(archal, table):
    """The second gets the answer of the first, though a second repository of that name would be a 422."""
    first, second = post(), post()

    assert first == second
    assert first[0] == 201
    assert len(archal.requests) == 1


def test_without_a_key_it_is_as_without_a_table(archal, table, tables):
    """Nothing is remembered."""
    assert [post(None)[0], post(None)[0]] == [201, 422]
    assert tables.items(table) == []


def test_without_a_table_a_key_means_nothing(archal, monkeypatch):
    """Not even one that would be refused."""
    monkeypatch.delenv(VARIABLE, raising=False)
    forget()

    assert [post("")[0], post("")[0]] == [201, 422]


def test_another_body_with_the_key_is_refused(archal, table):
    """And not carried out; the first body still gets its answer."""
    post(name="first")

    status, answer = post(name="second")

    assert status == 422
    assert answer == {"message": "the idempotency key was used for another request; use a new key"}
    assert post(name="first")[0] == 201
    assert len(archal.requests) == 1


def test_the_same_body_written_otherwise_is_the_same(archal, table):
    """What counts is what is asked for."""
    first = post(body='{"name": "made", "private": false}')

    assert post(body=' {"private":false, "name":"made", "other": 1}') == first
    assert len(archal.requests) == 1


def test_other_keys_are_other_requests(archal, table):
    """Case counts in a key."""
    assert [post("a", name="a")[0], post("A", name="b")[0]] == [201, 201]


LISTS = {"headers": {"IDEMPOTENCY-KEY": ["k"]}, "version": "2.0", "requestContext": {}}
BALANCER = {"requestContext": {"elb": {}}, "headers": {"idempotency-key": "k"}}
FORMS = {
    "http-api": {"headers": {"idempotency-key": "k"}},
    "rest-api": {
        "headers": {"Idempotency-Key": "k"},
        "multiValueHeaders": {"Idempotency-Key": ["k"]},
    },
    "balancer": BALANCER,
    "multi-value": {"headers": None, "multiValueHeaders": {"Idempotency-key": ["k"]}},
    "lattice-1": {"headers": {"idempotency-Key": " k"}, "requestContext": None},
    "lattice-2": LISTS,
}


@pytest.mark.parametrize("changes", FORMS.values(), ids=FORMS)
def test_the_key_is_found_in_every_form_of_event(archal, table, changes):
    """Whatever its case and place, and the answer has the form that each event asks for."""
    event = {"body": '{"name": "made"}', "isBase64Encoded": False} | changes
    first = create_repo.handler(event, LocalContext(timeout=LAMBDA_SECONDS))
    balanced = create_repo.handler(event | BALANCER, LocalContext(timeout=LAMBDA_SECONDS))

    assert (first["statusCode"], len(archal.requests)) == (201, 1)
    assert ("multiValueHeaders" in first) is ("headers" in changes and changes["headers"] is None)
    assert balanced["statusDescription"] == "201 Created"
    assert balanced["body"] == first["body"]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        ("k" * 256, "has more than 255 characters"),
        ("ké", "contains a character that is not printable ASCII"),
        ("k\n", "contains a character that is not printable ASCII"),
        ("k\ud800", "contains a character that is not printable ASCII"),
        ([], "is empty"),
        (7, "is empty"),
    ],
)
def test_a_key_that_cannot_be_one_is_400(archal, table, tables, key, problem):
    """The error names the header and shows nothing of it."""
    assert post(key) == (400, {"message": f"the header Idempotency-Key {problem} at $.headers"})
    assert (archal.requests, tables.items(table)) == ((), [])


def test_the_longest_key_is_one(archal, table):
    """As Stripe has it."""
    assert post("k" * 255) == post("k" * 255)


def test_a_bad_body_does_not_use_up_its_key(archal, table):
    """It is refused before the key is looked at."""
    assert [post(body="{}")[0], post()[0]] == [400, 201]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_is_not_remembered(monkeypatch, table, tables, status):
    """The same request may be tried again at once."""
    seen = clones_answering(monkeypatch, lambda n: Response(status, json={}) if n == 1 else made(n))

    assert post()[0] == status
    assert tables.items(table) == []
    assert [post()[0], post()[0]] == [201, 201]
    assert len(seen) == 2


def test_a_refusal_is_remembered(monkeypatch, table):
    """The clone has decided, whatever it would say now; bytes that are no text are kept."""
    refusal = Response(418, content=b"\xff\x00")
    seen = clones_answering(monkeypatch, lambda n: refusal if n == 1 else made(n))
    event = EVENT | {"headers": {"idempotency-key": "k"}}

    results = [create_repo.handler(event, LocalContext(timeout=LAMBDA_SECONDS)) for _ in "12"]

    assert results[0] == results[1]
    assert (results[0]["statusCode"], results[0]["isBase64Encoded"], len(seen)) == (418, True, 1)


@pytest.mark.parametrize(
    "content",
    [b"x" * 400_000, "é".encode() * 100_000, b"\x00" * 100_000, b'"' * 250_000],
    ids=["plain", "not ASCII", "escaped", "quotes"],
)
def test_an_answer_too_large_for_an_item_is_passed_on_and_forgotten(
    monkeypatch, table, tables, content
):
    """DynamoDB takes 400 KB, of the JSON in which an answer is kept."""
    seen = clones_answering(monkeypatch, lambda _: Response(404, content=content))
    event = EVENT | {"headers": {"idempotency-key": "k"}}

    for _ in range(2):
        assert create_repo.handler(event, LocalContext(timeout=LAMBDA_SECONDS))["statusCode"] == 404
    assert (len(seen), tables.items(table)) == (2, [])


@pytest.mark.parametrize(
    "content", [b"x" * 399_800, "é".encode() * 66_600], ids=["plain", "not ASCII"]
)
def test_the_largest_answer_is_remembered(monkeypatch, table, content):
    """It fits an item with all else that is in it."""
    seen = clones_answering(monkeypatch, lambda _: Response(404, content=content))
    event = EVENT | {"headers": {"idempotency-key": "k"}}

    results = [create_repo.handler(event, LocalContext(timeout=LAMBDA_SECONDS)) for _ in "12"]

    assert results[0] == results[1]
    assert len(seen) == 1


def test_an_error_of_the_program_is_not_remembered(monkeypatch, table, tables):
    """It is raised, as without a table."""

    def broken(number):
        if number == 1:
            raise ZeroDivisionError
        return made(number)

    clones_answering(monkeypatch, broken)
    with pytest.raises(ZeroDivisionError):
        post()

    assert tables.items(table) == []
    assert post()[0] == 201


def under_way(once, key, **more):
    """Do something that ends when told to, on a thread, as if another process did it."""
    started, go_on = threading.Event(), threading.Event()

    def slow():
        started.set()
        assert go_on.wait(30)

    thread = threading.Thread(
        target=once.run,
        args=(slow,),
        kwargs={"key": key, "context": LocalContext(timeout=60.0), **more},
    )
    thread.start()
    assert started.wait(30)

    def end():
        go_on.set()
        thread.join(30)

    return end


def test_what_comes_meanwhile_is_409(archal, table):
    """Two deliveries at once: one is carried out, the other told so; with another body it is refused for that."""
    end = under_way(create_repo.once(), "a-key", payload={"name": "made"})
    meanwhile, other = post(), post(name="other")
    end()

    message = "a request with this idempotency key is in progress; try again later"
    assert meanwhile == (409, {"message": message})
    assert other[0] == 422
    assert archal.requests == ()


CRASH = """
import os, sys
from aws_lambda_powertools import Logger
from archal_lambda.idempotency import Once
from archal_lambda.testing import LocalContext
once = Once.from_env(keep_seconds=60, logger=Logger())
once.run(lambda: os._exit(7), key="k", context=LocalContext(timeout=float(sys.argv[1])))
"""


def test_a_crash_locks_no_longer_than_the_invocation_would_have_lasted(table):
    """Until then it may still be under way; then it is done again."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    crashed = subprocess.run([sys.executable, "-c", CRASH, "3"], env=environ, check=False)
    assert crashed.returncode == 7
    once = Once(table, keep_seconds=60, logger=create_repo.logger)
    # The name under which it is known is that of the function, which is the same in both processes.
    ran = []
    statuses = []
    limit = time.monotonic() + 30
    while not ran and time.monotonic() < limit:
        try:
            once.run(lambda: ran.append(1), key="k", context=LocalContext(timeout=5))
        except NotRunError as error:
            statuses.append(error.status_code)
            time.sleep(0.1)

    assert ran == [1]
    assert set(statuses) <= {409}


def test_a_lock_ends_with_its_invocation(monkeypatch, table, tables):
    """What is stored says when: at the timeout of the function, in milliseconds."""
    found = []
    clones_answering(monkeypatch, lambda n: (found.extend(tables.items(table)), made(n))[1])
    before = time.time()
    post()

    (item,) = found
    assert item["status"] == "INPROGRESS"
    ends = int(item["in_progress_expiration"]) / 1000
    assert before + LAMBDA_SECONDS - 5 < ends <= time.time() + LAMBDA_SECONDS


def test_what_is_stored(archal, table, tables):
    """Hashes of the key and of what was asked, the answer, and a day; no secret, header or body of the request."""
    post("kept-out-of-the-table", name="made")

    (item,) = tables.items(table)
    assert set(item) == {
        "id",
        "status",
        "expiration",
        "in_progress_expiration",
        "validation",
        "data",
    }
    assert abs(int(item["expiration"]) - time.time() - 24 * 3600) < 60
    answer = json.loads(item["data"])
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert set(json.loads(answer["body"])) == {"id", "full_name", "html_url", "private"}
    text = json.dumps(item)
    for secret in ("kept-out-of-the-table", archal.token, create_repo.GITHUB_TOKEN):
        assert secret not in text


UNUSABLE = {"message": "nothing was done: the idempotency key cannot be checked at the moment"}


def unusable(archal, capsys):
    """Post, and see that nothing is done; give the reason that is logged."""
    results = []
    (line,) = lines(create_repo, lambda: results.append(post()))
    (emf,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]

    assert results == [(503, UNUSABLE)]
    assert archal.requests == ()
    assert emf["SetupFailures"] == [1.0]
    assert (line["level"], line["message"]) == ("ERROR", "request not carried out")
    return line["reason"]


def test_a_table_that_is_missing_is_503(archal, table, monkeypatch, capsys):
    """Nothing is done; the caller is told that, and the operator why."""
    monkeypatch.setenv(VARIABLE, "no-such-table")
    forget()

    assert "(ResourceNotFoundException)" in unusable(archal, capsys)


class Throttled(http.server.BaseHTTPRequestHandler):
    """A table that is asked for too much."""

    asked: ClassVar[list[int]] = []

    def do_POST(self):
        self.asked.append(1)
        self.rfile.read(int(self.headers["content-length"]))
        kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
        body = json.dumps({"__type": kind, "message": "slower"}).encode()
        self.send_response(400)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_table_that_is_throttled_is_503(archal, table, monkeypatch, capsys):
    """After a second try."""
    with http.server.HTTPServer(("127.0.0.1", 0), Throttled) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
        forget()
        try:
            reason = unusable(archal, capsys)
        finally:
            server.shutdown()
            thread.join(10)

    assert "(ProvisionedThroughputExceededException)" in reason
    assert len(Throttled.asked) == 2


@pytest.mark.parametrize("accepts", [True, False])
def test_a_table_that_does_not_respond_is_503_in_time(archal, table, monkeypatch, capsys, accepts):
    """Within the seconds that the handler keeps back for it."""
    monkeypatch.setattr(idempotency, "_PHASE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not accepts:
            silent.close()
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{port}")
        forget()
        begun = time.monotonic()

        reason = unusable(archal, capsys)

    assert time.monotonic() - begun < 10
    assert ("ReadTimeoutError" if accepts else "EndpointConnectionError") in reason


class Credentials(http.server.BaseHTTPRequestHandler):
    """Lambda's endpoint under SnapStart: first it gives keys that end with the snapshot, then those of after it."""

    asked: ClassVar[list[int]] = []

    def do_GET(self):
        self.asked.append(1)
        keys = {"AccessKeyId": f"key-{len(self.asked)}", "SecretAccessKey": "s", "Token": "t"}
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1 if len(self.asked) == 1 else 3600)
        body = json.dumps(keys | {"Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_keys_that_are_older_than_a_snapshot_are_renewed(archal, table, monkeypatch):
    """The client of the table is made before the snapshot, and what it signs with has ended when it is restored."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token")
    with http.server.HTTPServer(("127.0.0.1", 0), Credentials) as server:
        url = f"http://127.0.0.1:{server.server_port}/v1/credentials"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            table_client = create_repo.once()._layer.client
            signed = []
            table_client.meta.events.register(
                "before-send.dynamodb", lambda request, **_: signed.append(str(request.headers))
            )
            before = len(Credentials.asked)

            statuses = [post()[0], post()[0]]
        finally:
            server.shutdown()
            thread.join(10)

    assert (before, statuses, len(archal.requests)) == (1, [201, 201], 1)
    assert signed
    assert all("key-2/" in headers for headers in signed)


def test_the_limits_of_the_client_lie_within_the_handler_s():
    """Both phases of both attempts, and the pause between."""
    limits = idempotency._limits()

    attempts = limits.retries["total_max_attempts"]
    seconds = attempts * (limits.connect_timeout + limits.read_timeout) + (attempts - 1)
    assert seconds <= Once.reserve
    assert 1.0 + 2 * seconds < LAMBDA_SECONDS


def test_what_was_done_is_told_even_if_it_cannot_be_remembered(monkeypatch, table, tables):
    """Whoever asked must not try again; the log has an ERROR."""

    def answer(number):
        tables.client.delete_table(TableName=table)
        return made(number)

    clones_answering(monkeypatch, answer)
    results = []

    (line,) = [
        line
        for line in lines(create_repo, lambda: results.append(post()))
        if line["message"] != "clone call"
    ]

    assert results[0][0] == 201
    assert (line["level"], line["message"]) == ("ERROR", "idempotency key not updated")
    assert line["reason"] == "ResourceNotFoundException"


def test_an_error_is_told_even_if_the_key_cannot_be_released(monkeypatch, table, tables):
    """It is that of the call, not of the table."""

    def answer(_):
        tables.client.delete_table(TableName=table)
        return Response(500, json={"message": "of the clone"})

    clones_answering(monkeypatch, answer)

    assert post() == (500, {"message": "of the clone"})


GOOD = '{"name": "good", "steps": [{"clone": "github", "path": "/user"}]}'
BAD = '{"name": "bad", "steps": [{"clone": "github", "path": "/user", "expect": 418}]}'


def record(name, body=GOOD, group=None):
    """Make a record as SQS does."""
    attributes = {"ApproximateReceiveCount": "1"} | ({"MessageGroupId": group} if group else {})
    return {
        "messageId": name,
        "body": body,
        "attributes": attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:scenarios{'.fifo' if group else ''}",
    }


def returned(*records, timeout=60.0):
    """Handle a batch; give the ids of the records that return to the queue."""
    result = scenario_worker.handler({"Records": list(records)}, LocalContext(timeout=timeout))
    return [item["itemIdentifier"] for item in result["batchItemFailures"]]


def test_a_record_that_is_delivered_twice_is_run_once(archal, table, capsys):
    """In one batch or in two; only the first counts as passed."""
    assert returned(record("1"), record("1"), record("2")) == []
    assert returned(record("2"), record("3")) == []

    assert len(archal.requests) == 3
    emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [sum(one["ScenariosPassed"]) for one in emf] == [2, 1]
    assert [sum(one["ScenariosSkipped"]) for one in emf] == [1, 1]


def test_a_record_that_failed_is_run_again(archal, table, tables):
    """That is what it goes back to the queue for."""
    assert returned(record("1", BAD), record("2")) == ["1"]
    assert returned(record("1", BAD)) == ["1"]

    assert len(archal.requests) == 3
    assert len(tables.items(table)) == 1


def test_a_fifo_group_goes_on_behind_what_was_done(archal, table):
    """What is not run again has not failed."""
    assert returned(record("a1", group="a"), record("a2", BAD, "a"), record("a3", group="a")) == [
        "a2",
        "a3",
    ]
    assert returned(record("a1", group="a"), record("a2", group="a"), record("a3", group="a")) == []
    assert len(archal.requests) == 4


def test_a_record_that_is_under_way_elsewhere_goes_back(archal, table, capsys):
    """The delivery that runs may still fail; if it does not, the next one finds it done."""
    end = under_way(scenario_worker.once(), "1")
    meanwhile = returned(record("1"))
    end()

    assert (meanwhile, returned(record("1")), archal.requests) == (["1"], [], ())
    emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [sum(one["ScenariosSkipped"]) for one in emf] == [1, 1]


def test_a_record_for_which_no_time_is_left_is_not_locked(archal, table, tables):
    """What the table may take is kept back as well."""
    assert returned(record("1"), timeout=1.0 + 5.0 + 9.0) == ["1"]
    assert (archal.requests, tables.items(table)) == ((), [])


def test_records_stay_in_the_queue_while_the_table_cannot_be_used(archal, table, monkeypatch):
    """None is run, and the reason is logged for each."""
    monkeypatch.setenv(VARIABLE, "no-such-table")
    forget()
    ids = []

    logged = lines(scenario_worker, lambda: ids.extend(returned(record("1"), record("2"))))

    assert (ids, archal.requests) == (["1", "2"], ())
    assert [line["reason"] for line in logged if line["message"] == "scenario failed"] == [
        "not done: the table of idempotency keys cannot be used (ResourceNotFoundException)"
    ] * 2


def test_what_is_stored_of_a_record(archal, table, tables):
    """A hash of its id, for four days."""
    returned(record("kept-out-of-the-table"))

    (item,) = tables.items(table)
    assert (item["status"], item["data"]) == ("COMPLETED", "null")
    assert "kept-out-of-the-table" not in json.dumps(item)
    assert abs(int(item["expiration"]) - time.time() - 4 * 24 * 3600) < 60


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"key": ""}, "key"), ({"key": "k", "payload": {1}}, "payload")],
    ids=["an empty key", "a payload that JSON cannot hold"],
)
def test_an_argument_that_cannot_be_used_is_named_and_nothing_is_done(table, arguments, named):
    done = []
    once = Once(table, keep_seconds=60, logger=create_repo.logger)
    with pytest.raises(ValueError, match=f"^{named} must"):
        once.run(lambda: done.append(1), context=LocalContext(), **arguments)
    assert not done
