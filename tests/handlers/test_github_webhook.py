"""The handler of GitHub's webhooks: what the local clone delivers, and what others send."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import uuid
from pathlib import Path

import pytest
from support import dynamodb
from support.standin import Route

from archal_lambda.handlers import github_webhook
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext

EVENT = json.loads((Path(__file__).parents[2] / "events/github_webhook.json").read_text())
SECRET = "dummy"
VARIABLE = "ARCHAL_LAMBDA_WEBHOOK_SECRET"
TABLE = "ARCHAL_LAMBDA_IDEMPOTENCY_TABLE"
ISSUES = "/repos/testuser/webshop/issues"
THANKS = "Thanks, we look at it."


def forget():
    """Let the handler begin as in a new process."""
    github_webhook.clones.cache_clear()
    github_webhook.once.cache_clear()


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at, and the secrets of its webhooks and of the event file."""
    with LocalArchal(seeds={"github": "small-project"}) as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(VARIABLE, f"dummy {local.webhooks.secret}")
        forget()
        yield local
        forget()


@pytest.fixture(scope="module")
def tables():
    with dynamodb.serving() as served:
        yield served


@pytest.fixture
def table(tables, monkeypatch):
    """A table that the handler uses."""
    for name, value in tables.environ.items():
        monkeypatch.setenv(name, value)
    name = tables.create(f"table-{uuid.uuid4()}")
    monkeypatch.setenv(TABLE, name)
    forget()
    return name


@pytest.fixture
def log():
    """What the handler logs."""
    handler = github_webhook.logger.registered_handler
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.setStream(before)


def signed(body, secret=SECRET, **headers):
    """An event with a body, signed."""
    text = body if isinstance(body, str) else json.dumps(body)
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    fields = {**EVENT["headers"], **headers, "x-hub-signature-256": f"sha256={digest}"}
    return {**EVENT, "headers": fields, "body": text}


def invoke(event=EVENT, timeout=10.0):
    result = github_webhook.handler(event, LocalContext(timeout=timeout))
    return result["statusCode"], json.loads(result["body"])


def comments(archal, number=1):
    """What the handler has said on an issue."""
    found = Route(archal.base_url("github"), archal.token)("GET", f"{ISSUES}/{number}/comments")
    return [one["body"] for one in found.json if one["body"] == THANKS]


def issue(archal):
    answer = Route(archal.base_url("github"), archal.token)("POST", ISSUES, {"title": "t"})
    assert answer.status == 201
    return answer.json["number"]


def test_the_event_file_is_a_new_issue(archal):
    """It is signed with the secret `dummy`, and gets a comment."""
    status, answer = invoke()

    assert (status, list(answer)) == (200, ["html_url"])
    assert comments(archal) == [THANKS]


@pytest.mark.parametrize("shape", ["function-url", "http-api", "rest-api", "alb", "alb-multi"])
def test_a_new_issue_gets_one_comment_and_no_circle_begins(archal, shape):
    """The comment is told as well, and ignored."""
    archal.webhooks.deliver_to(github_webhook.handler, shape=shape)
    number = issue(archal)
    archal.webhooks.wait_idle()

    assert comments(archal, number) == [THANKS]
    assert [(one.event, one.status) for one in archal.webhooks.deliveries] == [
        ("issues", 200),
        ("issue_comment", 202),
    ]


def test_a_hook_of_the_clone_is_verified_by_its_own_secret(archal, monkeypatch):
    """As anybody sets one up by the API."""
    monkeypatch.setenv(VARIABLE, "of-the-hook")
    archal.webhooks.deliver_to(github_webhook.handler, secret="of-the-hook")
    number = issue(archal)
    archal.webhooks.wait_idle()

    assert comments(archal, number) == [THANKS]


def test_what_is_delivered_twice_is_done_once(archal, table, tables):
    """Duplicates, redeliveries, and what somebody sends once more under another id."""
    archal.webhooks.deliver_to(github_webhook.handler, events=["issues.opened"], duplicates=2)
    number = issue(archal)
    archal.webhooks.wait_idle()
    archal.webhooks.redeliver(archal.webhooks.deliveries[0])
    archal.webhooks.wait_idle()
    assert [one.status for one in archal.webhooks.deliveries] == [200] * 4
    assert comments(archal, number) == [THANKS]

    first = invoke()
    again = {**EVENT["headers"], "x-github-delivery": str(uuid.uuid4()), "x-github-event": "push"}
    assert invoke({**EVENT, "headers": again}) == first == invoke()
    assert comments(archal) == [THANKS]
    assert len(tables.items(table)) == 2


def test_another_issue_is_not_the_same(archal, table):
    archal.webhooks.deliver_to(github_webhook.handler)
    numbers = [issue(archal), issue(archal)]
    archal.webhooks.wait_idle()

    assert [comments(archal, number) for number in numbers] == [[THANKS], [THANKS]]


def test_a_table_that_cannot_be_asked_is_503_and_nothing_is_done(archal, table, monkeypatch):
    """Rather than twice."""
    monkeypatch.setenv(TABLE, "missing")
    github_webhook.once.cache_clear()

    assert invoke()[0] == 503
    assert comments(archal) == []


OPENED = json.loads(EVENT["body"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"zen": "Design for failure.", "hook_id": 1, "hook": {}}, 200),
        ({**OPENED, "action": "edited"}, 202),
        ({**OPENED, "comment": {"body": "x"}}, 202),
        ({"action": "opened", "pull_request": {}, "repository": OPENED["repository"]}, 202),
        ({"ref": "refs/heads/main", "commits": [], "repository": OPENED["repository"]}, 202),
        ({}, 202),
        ("[]", 400),
        ("payload=%7B%7D", 400),
        ({**OPENED, "issue": {"number": "1"}}, 400),
    ],
)
def test_what_asks_for_nothing_is_answered_at_once(archal, body, status):
    """A ping, other events, and what is not JSON; no clone is asked."""
    assert invoke(signed(body))[0] == status
    assert archal.requests == ()


@pytest.mark.parametrize(
    "event",
    [
        signed(OPENED, "another"),
        {**EVENT, "body": EVENT["body"].replace("1", "2")},
        {**EVENT, "headers": {}},
        {**EVENT, "body": None},
        *({}, None, [], "x", 5),
    ],
)
def test_what_is_not_signed_is_401_without_detail(archal, log, event):
    """The log says why; the clone is not asked."""
    assert invoke(event) == (401, {"message": "not verified"})
    assert archal.requests == ()
    (line,) = log()
    assert (line["level"], line["message"]) == ("WARNING", "webhook rejected")
    assert line["reason"] in {"wrong-signature", "missing-signature", "no-body"}


@pytest.mark.parametrize("text", ["", " "])
def test_without_a_secret_nobody_is_let_in(archal, log, monkeypatch, text):
    """Only the operator can mend it, so the log names the variable, and whoever asked is told nothing."""
    monkeypatch.setenv(VARIABLE, text)

    status, answer = invoke(signed(OPENED, text or "x"))

    assert status == 502
    assert VARIABLE not in str(answer)
    assert VARIABLE in log()[-1]["reason"]
    assert archal.requests == ()


def test_a_refusal_of_the_clone_is_passed_on(archal):
    """As of an issue that is not there."""
    assert invoke(signed({**OPENED, "issue": {"number": 999}}))[0] == 404


@pytest.mark.parametrize(
    "name", ["../../user", "a/b?x=1", "a b/c", "testuser/webshop/../other", ""]
)
def test_no_name_leads_elsewhere(archal, name):
    """Whatever the signed body says, it is refused before anything is sent."""
    result = invoke(signed({**OPENED, "repository": {"full_name": name}}))

    assert result[0] == 400
    assert archal.requests == ()


def test_no_secret_is_logged(archal, log, capsys):
    invoke()
    invoke(signed(OPENED, "another"))

    text = json.dumps(log()) + capsys.readouterr().out
    for kept in (archal.webhooks.secret, archal.token, "forgets its items"):
        assert kept not in text
    assert '"WebhooksRejected":[1.0]' in text
