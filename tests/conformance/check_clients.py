"""Lists, calls side by side, the control plane, and the clone of the local Archal."""

from __future__ import annotations

import asyncio
import base64
import json
import time

from conformance.host import LATE, ROUTE, TOKEN, fails
from support import public_names

from archal_lambda import Request, Settings, errors

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


async def check_a_hook_that_fails_breaks_no_call(host):
    def fail(*_):
        raise LookupError("a hook's own")

    clones = host.clones(on_call=fail, trace=fail)
    for _ in range(2):
        assert (await clones["svc"].get(f"/echo/{host.key()}")).status_code == 200


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


async def check_every_public_name_can_be_looked_at(_host):
    """Pyodide has the newest Python, which reads annotations in a way of its own."""
    assert public_names.problems() == []
