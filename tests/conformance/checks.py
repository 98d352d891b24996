"""What holds for every client on every host.

A check is a coroutine function whose name begins with `check_`; `only_async_` ones need tasks that run side by side.
They import nothing but the package and what Pyodide has, and know no test framework.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import traceback

from conformance.faces import face

import archal_lambda as archal
from archal_lambda import Deadline, Request, Settings, Timeout, errors

LATE = 0.8  # seconds after its budget by which a call has returned, on a busy machine
ROUTE = (
    "arch" + "al_" + "RouteToken" * 3
)  # put together here, so that no scanner takes the source for a leak
TOKEN = "gh" + "p_" + "ServiceToken" * 3
LIMIT = 100_000  # bytes


class Host:
    """Where the checks run, and against what.

    Args:
        kind: `sync` or `async`.
        origin: The misbehaving server.
        closed: An address where nobody listens.
        environ: The variables of a local Archal.
    """

    def __init__(self, kind, origin, closed, environ):
        self.kind = kind
        self.origin = origin
        self.closed = closed
        self.environ = environ
        self._run = time.time_ns()
        self._keys = 0

    def clones(self, urls=None, **options):
        settings = Settings(clone_urls=urls or {"svc": f"{self.origin}/svc/api"}, token=ROUTE)
        options.setdefault("max_response_bytes", LIMIT)
        return self.made("Clones", settings, **options)

    def made(self, name, settings, **options):
        """Make a client: of this host's kind, with the face of an asynchronous one."""
        if self.kind == "async":
            return getattr(archal, f"Async{name}")(settings, **options)
        return face(getattr(archal, name)(settings, **options))

    @property
    def svc(self):
        return self.clones()["svc"]

    def key(self):
        self._keys += 1
        return f"key-{self._run}-{self._keys}"

    async def seen(self, key):
        """Ask the server for the requests with a key."""
        requests = (await self.svc.get(f"/seen/{key}")).json()
        for one in requests:
            one["body"] = base64.b64decode(one["body"])
        return requests


async def fails(call, error, *, within=None):
    """Await a call that must fail with this error, in time, and without showing a secret."""
    started = time.monotonic()
    try:
        await call
    except errors.ArchalError as caught:
        took = time.monotonic() - started
        failure = caught
    else:
        raise AssertionError(f"no {error.__name__}")
    text = "".join(traceback.format_exception(failure)) + repr(failure) + repr(vars(failure))
    assert isinstance(failure, error), text
    assert ROUTE not in text
    assert TOKEN not in text
    assert "query-secret" not in text
    assert within is None or took < within + LATE, f"{took} s"
    return failure


async def refused(call):
    """Make a call that must not be made: `call()` or what it returns raises ValueError."""
    try:
        await call()
    except ValueError as error:
        return str(error)
    raise AssertionError("no ValueError")


# What is sent, and what comes back.


async def check_json_goes_out_and_comes_back(host):
    key = host.key()
    answer = await host.svc.post(f"/echo/{key}", json={"name": "x", "big": 2**60}, token=TOKEN)
    (sent,) = await host.seen(key)
    assert answer.status_code == 200
    assert answer.json()["method"] == sent["method"] == "POST"
    assert json.loads(sent["body"]) == {"name": "x", "big": 2**60}
    assert sent["headers"]["content-type"] == "application/json"


async def check_route_and_service_credentials_go_side_by_side(host):
    sent = (await host.svc.get(f"/echo/{host.key()}", token=TOKEN)).json()["headers"]
    assert sent["x-route-authorization"] == f"Bearer {ROUTE}"
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["user-agent"].startswith("archal-lambda/")
    assert sent["accept-encoding"] == "identity"


async def check_every_byte_survives(host):
    every = bytes(range(256)) * 40
    key = host.key()
    answer = await host.svc.put(f"/raw/{key}", content=every)
    assert answer.content == every
    assert (await host.seen(key))[0]["body"] == every
    assert (await host.svc.get("/raw/x")).content == bytes(range(256))


async def check_a_large_body_goes_out(host):
    key = host.key()
    content = b"0123456789" * 30_000
    clones = host.clones(max_response_bytes=1_000_000)
    assert (await clones["svc"].post(f"/raw/{key}", content=content)).content == content


async def check_the_target_arrives_as_it_was_encoded(host):
    key = host.key()
    params = {"q": "a b&c=d/ü'", "n": [1, 2], "none": None, "yes": True}
    await host.svc.get(f"/echo/{key}/%2Fx%25/ö y|'", params=params)
    (sent,) = await host.seen(key)
    path, _, query = sent["target"].partition("?")
    assert path in {
        f"/svc/api/echo/{key}/%2Fx%25/%C3%B6%20y%7C'",
        f"/svc/api/echo/{key}/%2Fx%25/%C3%B6%20y%7C%27",
    }
    assert query == "q=a%20b%26c%3Dd%2F%C3%BC%27&n=1&n=2&yes=true"


async def check_every_method(host):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await host.svc.request(method, f"/echo/{host.key()}")
        assert answer.json()["method"] == method


async def check_head_has_no_body(host):
    answer = await host.svc.head(f"/large/{host.key()}")
    assert (answer.status_code, answer.content) == (200, b"")


async def check_an_empty_post_says_so(host):
    sent = (await host.svc.post(f"/echo/{host.key()}")).json()
    assert sent["headers"]["content-length"] == "0"


async def check_a_delete_may_have_a_body(host):
    key = host.key()
    await host.svc.delete(f"/echo/{key}", json=[1])
    assert (await host.seen(key))[0]["body"] == b"[1]"


async def check_a_form(host):
    key = host.key()
    await host.svc.post(f"/echo/{key}", form={"a": "b c", "d": [1, 2]})
    (sent,) = await host.seen(key)
    assert sent["body"] == b"a=b%20c&d=1&d=2"
    assert sent["headers"]["content-type"] == "application/x-www-form-urlencoded"


async def check_headers_of_the_caller(host):
    headers = [("X-Name", "caf\xe9"), ("X-Note", "a, b")]
    sent = (await host.svc.get(f"/echo/{host.key()}", headers=headers)).json()["headers"]
    assert (sent["x-name"], sent["x-note"]) == ("caf\xe9", "a, b")


async def check_repeated_headers_are_kept(host):
    headers = (await host.svc.get(f"/fields/{host.key()}")).headers
    assert headers.get_all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert headers["x-name"] == "caf\xe9"
    assert headers["x-twice"] == "1, 2"


async def check_nothing_is_an_answer_too(host):
    for status in (200, 204, 304):
        answer = await host.svc.get(f"/empty/{host.key()}?{status}")
        assert (answer.status_code, answer.content) == (status, b"")


async def check_a_body_that_ends_with_the_connection(host):
    assert (await host.svc.get(f"/to-the-end/{host.key()}")).text == "until the end"


async def check_content_codings_are_undone(host):
    assert (await host.svc.get(f"/coded/{host.key()}")).text == "plain " * 50


async def check_redirects_are_not_followed(host):
    for status in (301, 302, 307, 308):
        key = host.key()
        answer = await host.svc.post(f"/redirect/{key}?{status}", json={})
        assert answer.status_code == status
        assert answer.headers["location"] == f"/svc/api/echo/landed-{key}"
        assert await host.seen(f"landed-{key}") == []


# Statuses are data.


async def check_statuses_are_returned_and_never_retried(host):
    for status in (400, 404, 418, 429, 500, 502, 503):
        key = host.key()
        answer = await host.svc.get(f"/status/{key}?{status}")
        assert (answer.status_code, answer.rejected_by) == (status, "clone")
        assert len(await host.seen(key)) == 1


async def check_raise_for_status(host):
    answer = await host.svc.get(f"/status/{host.key()}?404", params={"s": "query-secret"})

    async def check():
        answer.raise_for_status()

    failure = await fails(check(), errors.NotFoundError)
    assert str(failure).startswith(f"GET {host.origin}/svc/api/status/")


async def check_the_route_can_refuse(host):
    answer = await host.svc.get(f"/route/{host.key()}")
    assert answer.rejected_by == "route"

    async def check():
        answer.raise_for_status()

    failure = await fails(check(), errors.RouteRejectedError)
    assert failure.code == "bad_route"


async def check_a_body_of_another_shape(host):
    answer = await host.svc.get(f"/fields/{host.key()}")

    async def check():
        answer.decode(list[int])

    await fails(check(), errors.DecodeError)


# Time.


async def check_slow_is_not_late(host):
    started = time.monotonic()
    timeout = Timeout(
        6.0, connect=0.4, read=5.0
    )  # the answer takes longer than the time to connect
    answer = await host.svc.post(f"/slow/{host.key()}", timeout=timeout)
    assert answer.status_code == 200
    assert 1.1 < time.monotonic() - started < 5
    assert 1.1 < answer.elapsed < 5


async def check_no_answer_in_time(host):
    key = host.key()
    call = host.svc.post(f"/silent/{key}", params={"s": "query-secret"}, token=TOKEN, timeout=0.4)
    failure = await fails(call, errors.RequestTimeout, within=0.4)
    assert (failure.sent, failure.phase, failure.attempts) == (True, "headers", 1)
    assert isinstance(failure, TimeoutError)
    assert len(await host.seen(key)) == 1


async def check_a_body_that_stalls(host):
    call = host.svc.get(f"/stall/{host.key()}", timeout=0.4)
    failure = await fails(call, errors.RequestTimeout, within=0.4)
    assert (failure.sent, failure.phase) == (True, "body")


async def check_a_body_that_drips(host):
    call = host.svc.get(f"/drip/{host.key()}", timeout=Timeout(0.5, read=5.0))
    failure = await fails(call, errors.RequestTimeout, within=0.5)
    assert (failure.sent, failure.phase) == (True, "body")


async def check_headers_that_drip(host):
    call = host.svc.get(f"/drip-head/{host.key()}", timeout=Timeout(0.5, read=5.0))
    failure = await fails(call, errors.RequestTimeout, within=0.5)
    assert failure.phase == "headers"


async def check_silence_has_a_limit_of_its_own(host):
    for behaviour, phase in (("silent", "headers"), ("stall", "body")):
        timeout = Timeout(8.0, read=0.3)
        call = host.svc.post(f"/{behaviour}/{host.key()}", timeout=timeout)
        failure = await fails(call, errors.RequestTimeout, within=0.3)
        assert failure.phase == phase


async def check_a_post_that_timed_out_is_not_repeated(host):
    key = host.key()
    timeout = Timeout(5.0, read=0.3)
    await fails(host.svc.post(f"/silent/{key}", timeout=timeout), errors.RequestTimeout, within=0.3)
    assert len(await host.seen(key)) == 1


async def check_a_deadline_caps_calls(host):
    svc = host.svc.with_deadline(Deadline.after(0.4))
    failure = await fails(svc.get(f"/silent/{host.key()}"), errors.RequestTimeout, within=0.4)
    assert failure.sent is True


async def check_without_time_nothing_is_sent(host):
    key = host.key()
    svc = host.clones().with_deadline(Deadline.after(-1))["svc"]
    failure = await fails(svc.post(f"/echo/{key}"), errors.RequestTimeout, within=0.0)
    assert (failure.sent, failure.attempts) == (False, 0)
    assert await host.seen(key) == []


# Networks that fail.


async def check_a_lost_post_is_not_repeated(host):
    key = host.key()
    failure = await fails(host.svc.post(f"/lost/{key}", token=TOKEN), errors.ConnectionLost)
    assert (failure.sent, failure.attempts) == (True, 1)
    assert len(await host.seen(key)) == 1


async def check_a_lost_get_is_repeated_once(host):
    key, other = host.key(), host.key()
    failure = await fails(host.svc.get(f"/lost/{key}"), errors.ConnectionLost)
    assert (failure.sent, failure.attempts) == (True, 2)
    assert len(await host.seen(key)) == 2
    answer = await host.svc.get(f"/lost-once/{other}")
    assert (answer.status_code, answer.attempts) == (200, 2)


async def check_nobody_listens(host):
    svc = host.clones({"svc": f"{host.closed}/svc/api"})["svc"]
    failure = await fails(svc.post("/x", token=TOKEN), errors.TransportError)
    # A host that does not say why must be taken to have sent.
    assert failure.sent is (not isinstance(failure, errors.ConnectError))
    assert failure.attempts == (1 if failure.sent else 2)


async def check_a_name_that_does_not_resolve(host):
    svc = host.clones({"svc": "https://no-such-host.invalid/svc/api"})["svc"]
    failure = await fails(svc.post("/x", token=TOKEN, timeout=8), errors.TransportError)
    assert failure.sent is (not isinstance(failure, errors.ConnectError))


async def check_an_answer_cut_short(host):
    for behaviour in ("cut", "cut-chunk"):
        failure = await fails(host.svc.post(f"/{behaviour}/{host.key()}"), errors.ConnectionLost)
        assert failure.sent is True


async def check_what_is_no_answer(host):
    failure = await fails(host.svc.post(f"/garbage/{host.key()}"), errors.ConnectionLost)
    assert failure.sent is True


async def check_an_answer_too_large(host):
    for behaviour in ("large", "large-in-pieces", "bomb"):
        key = host.key()
        failure = await fails(host.svc.get(f"/{behaviour}/{key}"), errors.ResponseTooLarge)
        assert (failure.limit, failure.sent, failure.attempts) == (LIMIT, True, 1)
        assert len(await host.seen(key)) == 1


# Calls that are not made.


async def check_wrong_arguments_send_nothing(host):
    key = host.key()
    svc = host.svc
    for path, options in (
        ("https://evil.test/", {}),
        (f"//evil.test/{key}", {}),
        (f"/%2e%2e/{key}", {}),
        (f"/echo/{key}", {"headers": {"X-Route-Authorization": "mine"}}),
        (f"/echo/{key}", {"headers": {"Host": "evil.test"}}),
        (f"/echo/{key}", {"headers": {"A": "b\r\nC: d"}}),
        (f"/echo/{key}", {"token": "a\nb"}),
        (f"/echo/{key}", {"timeout": 0}),
        (f"/echo/{key}", {"json": {}, "content": b""}),
    ):
        await refused(lambda path=path, options=options: svc.post(path, **options))
    assert await host.seen(key) == []


async def check_unknown_clones(host):
    clones = host.clones()
    key = host.key()
    calls = [("svc", Request("GET", f"/echo/{key}")), ("nope", Request("GET", "/x"))]
    await fails(clones.gather(calls), errors.UnknownCloneError)
    assert await host.seen(key) == []


# Lists, and calls side by side.


async def check_pages(host):
    key = host.key()
    walk = host.svc.paginate(f"/pages/{key}", type=list[dict[str, int]], token=TOKEN)
    assert [item["number"] async for item in walk] == [1, 2, 3, 4, 5, 6]
    sent = await host.seen(key)
    assert len(sent) == 3
    assert all(one["headers"]["authorization"] == f"Bearer {TOKEN}" for one in sent)


async def check_gather(host):
    key = host.key()
    calls = [("svc", Request("GET", f"/echo/{key}", params={"n": n})) for n in range(12)]
    answers = await host.clones().gather(calls, max_concurrency=4)
    assert [one.json()["target"] for one in answers] == [
        f"/svc/api/echo/{key}?n={n}" for n in range(12)
    ]
    assert await host.clones().gather([]) == []


async def check_gather_gives_errors_in_place(host):
    calls = [("svc", Request("POST", f"/{one}/{host.key()}")) for one in ("echo", "lost", "echo")]
    first, second, third = await host.clones().gather(calls)
    assert (first.status_code, third.status_code) == (200, 200)
    assert isinstance(second, errors.ConnectionLost)


async def check_gather_has_one_deadline(host):
    calls = [("svc", Request("GET", f"/silent/{host.key()}")) for _ in range(3)]
    started = time.monotonic()
    outcomes = await host.clones().gather(calls, timeout=0.5)
    assert time.monotonic() - started < 0.5 + LATE
    assert all(isinstance(one, errors.RequestTimeout) for one in outcomes)


async def check_calls_are_recorded(host):
    records = []
    clones = host.clones(on_call=records.append)
    await clones["svc"].get(f"/status/{host.key()}?418", params={"s": "query-secret"})
    await fails(clones["svc"].post(f"/lost/{host.key()}"), errors.ConnectionLost)
    assert [(one.status_code, one.error, one.sent) for one in records] == [
        (418, None, True),
        (None, "ConnectionLost", True),
    ]
    assert "query-secret" not in repr(records)


async def check_a_closed_client_opens_again(host):
    clones = host.clones()
    assert (await clones["svc"].get(f"/echo/{host.key()}")).status_code == 200
    await clones.close()
    assert (await clones["svc"].get(f"/echo/{host.key()}")).status_code == 200
    await clones.close()


# The control plane.


async def check_a_creation_is_retried_with_one_key(host):
    client = host.made("ArchalClient", Settings(token=ROUTE, api_url=host.origin))
    session = await client.sessions.create(clones=["svc"], ttl_seconds=60)
    tries = json.loads(session.last_error)
    assert len(tries) == 2
    assert len({one["headers"]["idempotency-key"] for one in tries}) == 1
    assert tries[0]["headers"]["authorization"] == f"Bearer {ROUTE}"
    assert json.loads(base64.b64decode(tries[0]["body"])) == {"clones": ["svc"], "ttlSeconds": 60}


async def check_sessions_of_the_local_archal(host):
    settings = Settings.from_env(host.environ)
    client = host.made("ArchalClient", settings)
    async with client.sessions.open(clones=["github"], ttl_seconds=600) as hosted:
        mine = hosted.session.session_id
        assert mine in [one.session_id for one in await client.sessions.list()]
        user = await hosted.clones["github"].get("/user", token=TOKEN)
        assert user.json()["login"]
    assert mine not in [
        one.session_id for one in await client.sessions.list() if one.status == "running"
    ]


async def check_errors_of_the_control_plane(host):
    settings = Settings(
        token="nobody-knows-this-token", api_url=host.environ["ARCHAL_LAMBDA_API_URL"]
    )
    client = host.made("ArchalClient", settings)
    await fails(client.sessions.list(), errors.AuthenticationError)
    client = host.made("ArchalClient", Settings.from_env(host.environ))
    await fails(client.sessions.get("no-such-session"), errors.NotFoundError)


# The clone of the local Archal.


async def check_a_clone_keeps_state(host):
    github = host.made("Clones", Settings.from_env(host.environ))["github"]
    name = f"made-by-{host.key()}-{time.monotonic_ns()}"
    made = await github.post("/user/repos", json={"name": name}, token=TOKEN)
    assert made.raise_for_status().status_code == 201
    owner = made.json()["owner"]["login"]
    for number in range(3):
        path = f"/repos/{owner}/{name}/issues"
        issue = await github.post(path, json={"title": f"Issue {number}"}, token=TOKEN)
        assert issue.status_code == 201
    walk = github.paginate(path, type=list[dict], params={"per_page": 2}, token=TOKEN)
    assert len([item async for item in walk]) == 3


async def check_the_clone_wants_its_own_credential(host):
    github = host.made("Clones", Settings.from_env(host.environ))["github"]
    answer = await github.get("/user")
    assert (answer.status_code, answer.rejected_by) == (401, "clone")


async def check_the_proxy_wants_the_route(host):
    urls = json.loads(host.environ["AGENT_CLONE_URLS"])
    clones = host.made("Clones", Settings(clone_urls=urls, token="nobody-knows-this-token"))
    answer = await clones["github"].get("/user", token=TOKEN)
    assert answer.rejected_by == "route"


# Tasks.


async def only_async_calls_run_side_by_side(host):
    started = time.monotonic()
    calls = [("svc", Request("GET", f"/slow/{host.key()}")) for _ in range(5)]
    answers = await host.clones().gather(calls, max_concurrency=5)
    assert [one.status_code for one in answers] == [200] * 5
    assert time.monotonic() - started < 3.5


async def only_async_a_cancelled_call_ends_at_once(host):
    for behaviour in ("silent", "stall", "drip"):
        task = asyncio.ensure_future(host.svc.post(f"/{behaviour}/{host.key()}", timeout=30))
        await asyncio.sleep(0.15)
        started = time.monotonic()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert time.monotonic() - started < LATE
        else:
            raise AssertionError("not cancelled")


async def only_async_a_cancelled_gather_leaves_nothing(host):
    calls = [("svc", Request("POST", f"/silent/{host.key()}")) for _ in range(4)]
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(host.clones().gather(calls, max_concurrency=2))
    await asyncio.sleep(0.15)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert asyncio.all_tasks() <= before
    assert (await host.svc.get(f"/echo/{host.key()}")).status_code == 200


async def only_async_the_callers_own_limit(host):
    started = time.monotonic()
    try:
        async with asyncio.timeout(0.3):
            await host.svc.get(f"/silent/{host.key()}", timeout=30)
    except TimeoutError as error:
        caught = error
    else:
        raise AssertionError("no TimeoutError")
    assert not isinstance(caught, errors.RequestTimeout)
    assert time.monotonic() - started < 0.3 + LATE


def names(kind):
    """List the checks for a kind of client."""
    wanted = ("check_", "only_async_") if kind == "async" else ("check_",)
    return [name for name in globals() if name.startswith(wanted)]


async def run(host, name):
    """Run one check; give its failure as text, or None."""
    try:
        await globals()[name](host)
    except Exception:  # noqa: BLE001 - whatever it is, the check has failed
        return traceback.format_exc()
    return None
