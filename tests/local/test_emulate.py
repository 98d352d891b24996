"""Clones that npm's emulate runs, as vendors' SDKs and raw requests see them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import slack_sdk
import stripe
from support import emulate
from support.standin import Control, Route, route, send
from support.supply import obtained

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal, UnsupportedError

CLONES = ["github", "google-workspace", "linear", "slack", "stripe"]
JSON = {"Content-Type": "application/json"}
KEY = "sk_test_1"
SLACK_TOKEN = "xoxb-1"


@pytest.fixture(scope="module")
def package():
    return obtained(emulate.folder)


@pytest.fixture(scope="module")
def world(package):
    with LocalArchal(clones=CLONES, emulated=["github"], emulate_path=package) as running:
        yield running


@pytest.fixture
def nodes():
    """The Node processes that a test has started and that run."""
    before = set(emulate.children())
    return lambda: sorted(set(emulate.children()) - before)


@pytest.fixture
def archal(world):
    """The same world, as it was in the beginning."""
    world.reset()
    return world


def passing(archal):
    return {"x-route-authorization": f"Bearer {archal.token}"}


def slack(archal, tail=""):
    base = f"{archal.base_url('slack')}{tail}/"
    return slack_sdk.WebClient(token=SLACK_TOKEN, base_url=base, headers=passing(archal))


def paying(archal, key=KEY):
    session = requests.Session()
    session.headers.update(passing(archal))
    session.trust_env = False
    client = stripe.StripeClient(
        key,
        base_addresses={"api": archal.base_url("stripe")},
        http_client=stripe.RequestsClient(session=session),
        max_network_retries=0,
    )
    return client.v1


def ask(archal, clone, method, path, body=None, **more):
    headers = {**passing(archal), **JSON, "Authorization": "Bearer any", **more}
    return send(archal.base_url(clone) + path, method, json_body=body, headers=headers)


# --- Slack ---


@pytest.mark.parametrize("tail", ["", "/api"])
def test_slack_has_both_spellings_of_its_paths(archal, tail):
    """With and without `/api`."""
    client = slack(archal, tail)
    sent = client.chat_postMessage(channel="C000000001", text="hello")
    history = client.conversations_history(channel="C000000001")
    assert [message["text"] for message in history["messages"]] == ["hello"]
    client.chat_update(channel="C000000001", ts=sent["ts"], text="changed")
    made = client.conversations_create(name="incidents")["channel"]
    assert made["id"] in {one["id"] for one in client.conversations_list()["channels"]}
    assert client.users_info(user="U000000001")["user"]["name"] == "admin"


def test_slack_says_what_it_has_not(archal):
    """`unknown_method` as Slack does, marked as not built here; and no token is `not_authed`."""
    with pytest.raises(slack_sdk.errors.SlackApiError) as caught:
        slack(archal).api_call("search.messages")
    assert caught.value.response["error"] == "unknown_method"
    answer = ask(archal, "slack", "POST", "/search.messages")
    assert (answer.status, answer.header("x-archal-local")) == (501, "not-implemented")
    assert answer.header("x-ratelimit-limit") is None  # which is GitHub's
    anonymous = send(archal.base_url("slack") + "/auth.test", "POST", headers=passing(archal))
    assert anonymous.json == {"ok": False, "error": "not_authed"}


# --- Stripe ---


def test_stripe_by_its_sdk(archal):
    """Objects are made, changed, listed page by page and deleted."""
    calls = paying(archal)
    made = [calls.customers.create({"email": f"{n}@example.com"}).id for n in range(3)]
    first = calls.customers.list({"limit": 2})
    assert first.has_more
    assert {one.id for one in first.auto_paging_iter()} == set(made)
    calls.customers.update(made[0], {"name": "Ada"})
    assert calls.customers.retrieve(made[0], {}).name == "Ada"
    product = calls.products.create({"name": "Plan"})
    price = {"product": product.id, "currency": "usd", "unit_amount": 500}
    assert calls.prices.create(price).unit_amount == 500
    intent = calls.payment_intents.create({"amount": 500, "currency": "usd"})
    assert intent.status == "requires_payment_method"
    assert calls.customers.delete(made[1], {}).deleted


@pytest.mark.parametrize("key", ["pk_test_1", "nonsense", "Bearer", "sk_"])
def test_stripe_takes_secret_keys_only(archal, key):
    """All others are 401 in Stripe's shape, without the key in it."""
    with pytest.raises(stripe.AuthenticationError) as caught:
        paying(archal, key).customers.list({})
    assert caught.value.http_status == 401
    assert key not in str(caught.value) or key == "sk_"
    bare = send(archal.base_url("stripe") + "/v1/customers", headers=passing(archal))
    assert bare.status == 401
    assert bare.json["error"]["type"] == "invalid_request_error"
    assert bare.header("www-authenticate") == 'Bearer realm="Stripe"'


def test_stripe_takes_a_key_as_user_name(archal):
    """As `curl -u` sends it."""
    answer = ask(archal, "stripe", "GET", "/v1/customers", Authorization="Basic c2tfdGVzdF8xOg==")
    assert (answer.status, answer.json["data"]) == (200, [])
    assert ask(archal, "stripe", "GET", "/v1/customers", Authorization="Basic !").status == 401


def test_stripe_repeats_a_response(archal):
    """Of the same key and parameters, in whichever order; one customer is made."""
    calls = paying(archal)
    options = {"idempotency_key": "one"}
    first = calls.customers.create({"email": "a@example.com", "name": "A"}, options)
    again = calls.customers.create({"name": "A", "email": "a@example.com"}, options)
    assert (again.id, again.last_response.headers["idempotent-replayed"]) == (first.id, "true")
    assert "idempotent-replayed" not in first.last_response.headers
    assert len(calls.customers.list({}).data) == 1
    # Another account's key of the same name is another key.
    other = paying(archal, f"{KEY}2").customers.create({}, options)
    assert other.id != first.id


def test_stripe_refuses_a_key_for_something_else(archal):
    """Other parameters, or another endpoint."""
    calls = paying(archal)
    options = {"idempotency_key": "one"}
    calls.customers.create({"email": "a@example.com"}, options)
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        calls.customers.create({"email": "b@example.com"}, options)
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        calls.products.create({"name": "x"}, options)
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        calls.products.create({"name": "x"}, {**options, "idempotency_key": "k" * 256})


def test_stripe_remembers_no_refusal_of_parameters(archal):
    """What was not begun may be corrected and sent again under its key."""
    calls = paying(archal)
    options = {"idempotency_key": "one"}
    with pytest.raises(stripe.InvalidRequestError):
        calls.products.create({}, options)
    assert calls.products.create({"name": "x"}, options).name == "x"


def test_stripe_makes_one_of_many_at_once(archal):
    """The same call from eight threads: one is made, the others are 409 or repeats."""
    headers = {**passing(archal), "Authorization": f"Bearer {KEY}", "Idempotency-Key": "x"}
    url = archal.base_url("stripe") + "/v1/customers"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(url, "POST", headers=headers), range(8)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({answer.json["id"] for answer in answers if answer.status == 200}) == 1
    assert (
        len(
            ask(archal, "stripe", "GET", "/v1/customers", Authorization=f"Bearer {KEY}").json[
                "data"
            ]
        )
        == 1
    )


def test_stripe_says_what_it_has_not(archal):
    """501 in Stripe's shape, apart from its own 404."""
    answer = ask(archal, "stripe", "GET", "/v1/subscriptions", Authorization=f"Bearer {KEY}")
    assert (answer.status, answer.header("x-archal-local")) == (501, "not-implemented")
    assert answer.json["error"]["type"] == "invalid_request_error"
    own = ask(archal, "stripe", "GET", "/v1/customers/cus_x", Authorization=f"Bearer {KEY}")
    assert (own.status, own.header("x-archal-local")) == (404, None)
    assert own.json["error"]["code"] == "resource_missing"


# --- Linear, Google, GitHub ---


def test_linear_by_graphql(archal):
    """An issue is made and found; unknown paths are 501."""
    team = "{ teams { nodes { id key } } issues { nodes { title } } }"
    found = ask(archal, "linear", "POST", "/graphql", {"query": team}).json["data"]
    assert found["issues"]["nodes"] == []
    make = 'mutation($t: String!) { issueCreate(input: {title: "x", teamId: $t}) { issue { identifier url } } }'
    variables = {"t": found["teams"]["nodes"][0]["id"]}
    made = ask(archal, "linear", "POST", "/graphql", {"query": make, "variables": variables}).json
    assert made["data"]["issueCreate"]["issue"]["identifier"] == "ENG-1"
    assert (
        ask(archal, "linear", "GET", "/rest").json["errors"][0]["extensions"]["code"]
        == "NOT_IMPLEMENTED"
    )


def test_google_has_mail_calendar_and_drive(archal):
    """Below one base, as its two hosts have them."""
    events = "/calendar/v3/calendars/primary/events"
    event = {"summary": "Plan", "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}
    made = ask(archal, "google-workspace", "POST", events, event)
    assert made.status == 200, made.body
    listed = ask(archal, "google-workspace", "GET", events).json["items"]
    assert [one["summary"] for one in listed] == ["Plan"]
    labels = ask(archal, "google-workspace", "GET", "/gmail/v1/users/me/labels").json["labels"]
    assert "INBOX" in {label["id"] for label in labels}
    files = ask(archal, "google-workspace", "GET", "/drive/v3/files")
    assert files.json["files"] == []
    lacking = ask(archal, "google-workspace", "GET", "/sheets/v4/x")
    assert (lacking.status, lacking.json["error"]["status"]) == (501, "UNIMPLEMENTED")


def test_github_if_asked_for(archal):
    """Pages are linked below the clone's base; refusals are as GitHub's; what is not built is told apart."""
    for number in range(3):
        assert ask(archal, "github", "POST", "/user/repos", {"name": f"r{number}"}).status == 201
    page = ask(archal, "github", "GET", "/user/repos?per_page=1")
    assert f"<{archal.base_url('github')}/user/repos?" in page.header("link")
    assert page.json[0]["url"].startswith(archal.base_url("github"))
    anonymous = send(archal.base_url("github") + "/user", headers=passing(archal))
    assert anonymous.status == 401
    assert anonymous.json == {
        "message": "Requires authentication",
        "documentation_url": "https://docs.github.com/rest",
        "status": "401",
    }
    missing = ask(archal, "github", "GET", "/repos/testuser/none")
    assert (missing.status, missing.header("x-archal-local")) == (404, None)
    lacking = ask(archal, "github", "GET", "/gists")
    assert (lacking.status, lacking.header("x-archal-local")) == (501, "not-implemented")
    head = ask(archal, "github", "HEAD", "/repos/testuser/r0")
    assert (head.status, head.body) == (200, b"")
    assert ask(archal, "github", "HEAD", "/repos/testuser/none").status == 404
    gone = ask(archal, "github", "DELETE", "/repos/testuser/r0")
    assert (gone.status, gone.body) == (204, b"")


def test_our_own_github_needs_no_node(nodes):
    """It is what there is unless it is asked for."""
    with LocalArchal(clones=["github"]) as archal:
        assert ask(archal, "github", "GET", "/user").json["login"] == "testuser"
        assert nodes() == []


# --- State ---


def test_snapshot_restore_and_diff(archal):
    """All clones go back, Stripe's remembered responses with them."""
    calls = paying(archal)
    options = {"idempotency_key": "before"}
    before = calls.customers.create({"email": "a@example.com"}, options)
    mark = archal.snapshot()
    after = calls.customers.create({}, {"idempotency_key": "after"})
    slack(archal).chat_postMessage(channel="C000000001", text="hello")
    ask(archal, "github", "POST", "/user/repos", {"name": "r"})
    changes = archal.diff(mark)
    assert ("stripe", "customers", after.id) in {(c.clone, c.kind, c.key) for c in changes}
    assert {"github", "slack", "stripe"} == {change.clone for change in changes}
    archal.restore(mark)
    assert archal.diff(mark) == []
    assert ask(archal, "github", "GET", "/repos/testuser/r").status == 404
    assert calls.customers.create({"email": "a@example.com"}, options).id == before.id
    again = calls.customers.create({}, {"idempotency_key": "after"})
    assert again.id != after.id
    archal.restore(mark)  # as often as one likes


def test_reset_is_finished_when_it_returns(archal):
    """The state is the seed's, and what was remembered is forgotten."""
    calls = paying(archal)
    options = {"idempotency_key": "one"}
    first = calls.customers.create({}, options)
    archal.reset("stripe")
    assert calls.customers.list({}).data == []
    assert calls.customers.create({}, options).id != first.id


def test_state_shows_no_secret(archal):
    """Tokens, secrets and webhook addresses are left out."""
    state = archal.state()
    assert {"channels", "teams", "users"} == set(state["slack"])
    assert "ENG" in json.dumps(state["linear"])
    assert "secret" not in json.dumps(state)
    assert "lin_test_admin" not in json.dumps(state)


def test_the_clock_is_their_own(archal):
    """It cannot be moved, and the error says so."""
    with pytest.raises(UnsupportedError, match="slack"):
        archal.clock("slack").forward(60)


def test_each_session_has_instances_of_its_own(archal):
    """And they are gone when it ends."""
    first, second = route(archal, "slack"), route(archal, "slack")
    assert first("POST", "/conversations.create", {"name": "mine"}, **JSON).json["ok"]
    names = {one["name"] for one in second("POST", "/conversations.list").json["channels"]}
    assert names == {"general", "random"}
    control = Control(archal.api_url, archal.token)
    for one in (first, second):
        session = urlsplit(one.base).path.split("/")[2]
        assert control("DELETE", f"/api/sessions/{session}").status == 204
        assert one("POST", "/auth.test").status == 404


def test_two_thousand_requests_at_once(archal):
    """From 32 threads on connections of their own: nothing is lost, and no limit of GitHub's is met."""
    parts = urlsplit(archal.base_url("stripe"))
    headers = {**passing(archal), "Authorization": f"Bearer {KEY}"}

    def work(number):
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        found = []
        for turn in range(63):
            body = f"name={number}-{turn}"
            connection.request(
                "POST",
                f"{parts.path}/v1/products",
                body,
                {
                    **headers,
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            response = connection.getresponse()
            found.append((response.status, json.loads(response.read())["name"], f"{number}-{turn}"))
        connection.close()
        return found

    with ThreadPoolExecutor(32) as pool:
        answers = [one for found in pool.map(work, range(32)) for one in found]
    assert len(answers) == 2016
    assert all((status, name) == (200, wanted) for status, name, wanted in answers)
    assert len(archal.state("stripe")["stripe"]["products"]) == 2016


# --- Seeds ---


def test_a_document_is_planted(package):
    """In whichever service; a reset goes back to it."""
    seeds = {
        "slack": {"channels": [{"name": "incidents", "topic": "now"}], "users": [{"name": "ada"}]},
        "linear": {
            "teams": [{"key": "OPS", "name": "Operations"}],
            "issues": [{"team": "OPS", "title": "Disk is full", "assignee": "Developer"}],
        },
        "stripe": {
            "customers": [{"id": "cus_ada", "email": "ada@example.com"}],
            "products": [{"name": "Plan"}],
            "prices": [{"product_name": "Plan", "currency": "usd", "unit_amount": 900}],
        },
    }
    with LocalArchal(
        clones=["slack", "linear", "stripe"], seeds=seeds, emulate_path=package
    ) as archal:
        for _ in range(2):
            state = archal.state()
            names = {one["name"] for one in state["slack"]["channels"].values()}
            assert names == {"general", "random", "incidents"}
            assert set(state["linear"]["issues"]) == {"OPS-1"}
            assert set(state["stripe"]["customers"]) == {"cus_ada"}
            assert len(state["stripe"]["prices"]) == 1
            archal.reset()
        assert archal.seeds["slack"] == "custom"


def test_emulates_own_example_is_a_seed(package):
    """By the name of `default`."""
    with LocalArchal(
        clones=["stripe", "linear"], seeds={"stripe": "default"}, emulate_path=package
    ) as archal:
        (customer,) = archal.state()["stripe"]["customers"].values()
        assert customer["email"] == "test@example.com"
        assert "issues" not in archal.state()["linear"]


@pytest.mark.parametrize(
    ("clone", "document", "said"),
    [
        ("slack", {"chanels": []}, "at slack: Object contains unknown field `chanels`"),
        ("slack", {"channels": [{"name": 1}]}, r"at slack.channels\[0\].name: Expected `str`"),
        ("slack", {"channels": [{"name": "general"}]}, r"channels\[0\].name: is there already"),
        ("slack", {"port": 1}, "unknown field `port`"),
        ("slack", {"incoming_webhooks": [{"channel": "x"}]}, r"channel: 'x' is not among channels"),
        (
            "stripe",
            {"prices": [{"product_name": "P", "currency": "usd", "unit_amount": 1}]},
            r"at stripe.prices\[0\].product_name: 'P' is not among products",
        ),
        (
            "stripe",
            {"customers": [{"email": "a"}, {"email": "a"}]},
            r"customers\[1\].email: is there already",
        ),
        (
            "linear",
            {"issues": [{"team": "X", "title": "t"}]},
            r"issues\[0\].team: 'X' is not among teams",
        ),
        ("linear", {"baseUrl": "http://x"}, "unknown field `baseUrl`"),
        ("linear", {"issues": [{"team": "ENG", "title": "t", "labels": ["Bug", "Bag"]}]}, "'Bag'"),
        ("google-workspace", {"messages": [{"user_email": "x@y"}]}, "user_email: 'x@y'"),
        ("google-workspace", {"messages": [{"From": "x@y"}]}, "unknown field `From`"),
        ("slack", {"signing_secret": float("nan")}, "signing_secret: Expected `str`"),
    ],
)
def test_a_wrong_document_is_refused(clone, document, said):
    """Before anything starts, with the path of the key; emulate itself drops such keys."""
    with pytest.raises(ConfigurationError, match=said):
        LocalArchal(clones=[clone], seeds={clone: document})


def test_github_documents_are_checked_where_emulate_runs_it(package):
    """They are emulate's then."""
    seed = {"users": [{"login": "ada"}], "repos": [{"owner": "ada", "name": "shop"}]}
    with LocalArchal(emulated=["github"], seeds={"github": seed}, emulate_path=package) as archal:
        assert ask(archal, "github", "GET", "/repos/ada/shop").status == 200
        assert ask(archal, "github", "GET", "/user").json["login"] == "ada"
    seed["repos"][0]["owner"] = "eve"
    with pytest.raises(ConfigurationError, match=r"at github.repos\[0\].owner: 'eve' is not among"):
        LocalArchal(emulated=["github"], seeds={"github": seed})


def test_what_cannot_be_emulated_is_refused():
    """By name, with what can."""
    with pytest.raises(
        ConfigurationError, match=r"emulated names 'jira', but emulate has: github, "
    ):
        LocalArchal(emulated=["jira"])


# --- The process ---


def test_sessions_fail_when_node_is_killed(package, nodes):
    """With the reason; their calls are 502 of Archal's; a new session works."""
    with LocalArchal(clones=["slack"], emulate_path=package) as archal:
        control = Control(archal.api_url, archal.token)
        other = route(archal, "stripe")
        untouched = route(archal, "github")
        (node,) = nodes()
        os.kill(node, signal.SIGKILL)
        for one in (other, Route(archal.base_url("slack"), archal.token)):
            answer = one("POST", "/api/auth.test")
            assert answer.status == 502
            assert {"error", "code", "message"} <= set(answer.json)
        until = time.monotonic() + 10  # its end is known a moment after its connections break
        failed = control("GET", f"/api/sessions/{archal.session_id}").json
        while failed["alive"] and time.monotonic() < until:
            failed = control("GET", f"/api/sessions/{archal.session_id}").json
        assert (failed["status"], failed["alive"]) == ("failed", False)
        assert failed["lastError"] == "the emulators' Node process has ended (signal 9)"
        assert untouched("GET", "/user").status == 200
        fresh = route(archal, "slack")
        assert fresh("POST", "/auth.test").json["ok"]
        assert nodes() != [node]
    assert nodes() == []


def test_stop_ends_node_and_a_start_begins_anew(package, nodes):
    """Without a trace of what was there before."""
    archal = LocalArchal(clones=["slack"], emulate_path=package)
    for _ in range(2):
        with archal:
            assert len(nodes()) == 1
            made = ask(archal, "slack", "POST", "/conversations.create", {"name": "mine"})
            assert made.json["ok"]
        assert nodes() == []


def test_a_parent_that_was_killed_leaves_no_node(package):
    """Node ends with its stdin."""
    program = (
        "import sys; from archal_lambda.local import LocalArchal\n"
        f"archal = LocalArchal(clones=['slack'], emulate_path={str(package)!r}).start()\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout.readline() == b"up\n"
        (node,) = emulate.children(parent.pid)
        parent.kill()
        parent.wait()
        gone = threading.Event()
        for _ in range(200):
            if not Path(f"/proc/{node}").exists():
                break
            gone.wait(0.02)
        assert not Path(f"/proc/{node}").exists()


def test_an_emulator_answers_nobody_else(package, nodes):
    """Its own port is of no use to a web page, which it would let in."""
    with LocalArchal(clones=["slack"], emulate_path=package):
        (node,) = nodes()
        ports = listening(node)
        assert ports
        for port in ports:
            url = f"http://127.0.0.1:{port}/api/auth.test"
            assert send(url, "POST", headers={"Authorization": "Bearer any"}).status == 403


def listening(pid):
    """The ports of 127.0.0.1 that a process listens on; it has no others."""
    sockets = {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    rows = [row for row in rows if f"socket:[{row[9]}]" in sockets and row[3] == "0A"]
    assert {row[1].partition(":")[0] for row in rows} == {"0100007F"}
    return [int(row[1].partition(":")[2], 16) for row in rows]


def test_node_sees_no_secret_of_the_environment(package, nodes, monkeypatch):
    """Nor options of its own."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("NODE_OPTIONS", "--no-such-option")
    with LocalArchal(clones=["slack"], emulate_path=package):
        (node,) = nodes()
        seen = Path(f"/proc/{node}/environ").read_bytes()
    assert b"hidden" not in seen
    assert b"NODE_OPTIONS" not in seen


def test_slack_methods_take_get(archal):
    """As the service does; emulate has POST alone."""
    headers = {**passing(archal), "Authorization": "Bearer any"}
    answer = send(archal.base_url("slack") + "/conversations.list?limit=1", "GET", headers=headers)
    assert (answer.status, answer.json["ok"]) == (200, True)
    assert len(answer.json["channels"]) == 1


def test_ending_is_silent(package):
    """Asyncio would warn of a child whose status somebody else has fetched."""
    code = (
        "from archal_lambda.local import LocalArchal\n"
        "for _ in range(8):\n"
        f"    LocalArchal(clones=['slack'], emulate_path={str(package)!r}).start().stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_stripe_carries_out_what_its_caller_left(archal):
    """The retry, with the same key, gets what the first call made."""
    fields = {"Idempotency-Key": "left", "Content-Type": "application/x-www-form-urlencoded"}
    headers = {**passing(archal), "Authorization": f"Bearer {KEY}", **fields}
    url = archal.base_url("stripe") + "/v1/customers"
    with archal.fault("stripe", method="POST", delay=30.0, times=1):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as peer:
            lines = [f"POST {parts.path} HTTP/1.1", "Host: x", "Content-Length: 13"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            peer.sendall("\r\n".join([*lines, "", "email=a%40b.c"]).encode())
            until = time.monotonic() + 10
            while (
                not archal.state("stripe")["stripe"].get("customers") and time.monotonic() < until
            ):
                time.sleep(0.002)
    answer = send(url, "POST", body=b"email=a%40b.c", headers=headers)
    assert answer.header("idempotent-replayed") == "true"
    assert len(archal.state("stripe")["stripe"]["customers"]) == 1


def test_stripe_keys_are_an_accounts_own(archal):
    """Also where a platform names it by a field."""
    more = {"Idempotency-Key": "same", "Authorization": f"Bearer {KEY}"}
    first, second = (
        ask(
            archal, "stripe", "POST", "/v1/customers", {}, **more, **{"Stripe-Account": account}
        ).json["id"]
        for account in ("acct_1", "acct_2")
    )
    assert first != second


@pytest.mark.parametrize(
    "path", ["//x/v1/customers", "/x/../v1/customers", "/%2E./v1/customers", "/x\\v1", "//"]
)
def test_a_path_is_no_other_path(archal, path):
    """What Node would make of it is not asked: the guard looks at what is served."""
    for clone in ("stripe", "github"):
        answer = ask(archal, clone, "GET", path, Authorization="")
        assert answer.status == 404, clone


def test_a_reset_cuts_no_call(archal):
    """Each is answered by what was before, or what is after."""
    statuses = []
    over = threading.Event()

    def call():
        while not over.is_set():
            statuses.append(ask(archal, "github", "GET", "/user").status)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(20):
        archal.reset("github")
    over.set()
    for caller in callers:
        caller.join()
    assert set(statuses) == {200}


def test_a_creation_that_comes_twice_makes_one_session(archal):
    """Also while its clones start."""
    control = Control(archal.api_url, archal.token)
    with ThreadPoolExecutor(5) as pool:
        made = list(
            pool.map(
                lambda _: control.create(clones=["slack"], headers=[("Idempotency-Key", "once")]),
                range(5),
            )
        )
    (session,) = {answer.json["sessionId"] for answer in made}
    assert control("DELETE", f"/api/sessions/{session}").status == 204
    again = control.create(clones=["slack"], headers=[("Idempotency-Key", "once")])
    assert (again.json["sessionId"], again.json["status"]) == (session, "ended")
