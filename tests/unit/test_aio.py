"""The asynchronous clients where they differ from the synchronous ones: tasks, cancellation, and who waits."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest
from support.fakes import script, session

from archal_lambda import (
    AsyncArchalClient,
    AsyncClones,
    Deadline,
    Request,
    Response,
    Settings,
    errors,
)
from archal_lambda.core.environment import TokenSecret
from archal_lambda.core.secrets import Secret
from archal_lambda.transports.mock import MockTransport

URLS = {"github": "https://clone.test/github/api"}
SETTINGS = Settings(clone_urls=URLS, token="t")


def clones_on(handler, **options):
    return AsyncClones(SETTINGS, transport=MockTransport(handler), **options)


def test_calls_and_verbs_are_awaited():
    """The handler of the mock may be a coroutine function."""

    async def handler(request):
        await asyncio.sleep(0)
        return Response(200, json=request.method)

    async def main():
        async with clones_on(handler) as clones:
            github = clones["github"]
            assert (await github.get("/a")).json() == "GET"
            return (await github.request("patch", "/a")).json()

    assert asyncio.run(main()) == "PATCH"


def test_a_synchronous_client_refuses_an_asynchronous_handler():
    done = asyncio.new_event_loop()
    with contextlib.closing(done), pytest.raises(TypeError, match="asynchronous clients only"):
        MockTransport(lambda _request: done.create_future()).send(Request("GET", "/"), None, None)


def test_gather_runs_side_by_side():
    """As many tasks run at once as are allowed."""
    now, most = 0, 0

    async def handler(_request):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return Response(200)

    async def main():
        calls = [("github", Request("GET", f"/{number}")) for number in range(10)]
        return await clones_on(handler).gather(calls, max_concurrency=3)

    assert [answer.status_code for answer in asyncio.run(main())] == [200] * 10
    assert most == 3


def test_gather_leaves_no_task():
    """This holds when it is cancelled, and when a call ends it with an error that is not ours."""
    ended = []

    async def handler(request):
        if request.path == "/bad":
            raise ZeroDivisionError
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(request.path)

    async def main():
        clones = clones_on(handler)
        calls = [("github", Request("GET", f"/{number}")) for number in range(3)]
        gathering = asyncio.create_task(clones.gather(calls))
        await asyncio.sleep(0.01)
        gathering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathering
        assert sorted(ended) == ["/0", "/1", "/2"]
        with pytest.raises(ZeroDivisionError):
            await clones.gather([*calls, ("github", Request("GET", "/bad"))])
        assert len(ended) == 6
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_walk_that_is_left_fetches_no_more_pages():
    pages = iter(
        [
            Response(200, json=[1, 2], headers={"Link": '</p?page=2>; rel="next"'}),
            Response(200, json=[3]),
        ]
    )

    async def main():
        clones = clones_on(lambda _request: next(pages))
        async with contextlib.aclosing(clones["github"].paginate("/p", type=list[int])) as items:
            async for item in items:
                assert item == 1
                break
        assert next(pages).json() == [3]
        with pytest.raises(ValueError, match="path"):
            clones["github"].paginate("//x", type=list[int])

    asyncio.run(main())


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_a_cancelled_body_stops_its_session(again):
    """A second cancellation does not interrupt the stop. The cancellation is raised afterwards."""
    methods = []

    async def handler(request):
        methods.append(request.method)
        await asyncio.sleep(0.02)
        return Response(204) if request.method == "DELETE" else session()

    async def main():
        client = AsyncArchalClient(SETTINGS, transport=MockTransport(handler))
        inside = asyncio.Event()

        async def use():
            async with client.sessions.open(clones=["github"]):
                inside.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(use())
        await inside.wait()
        task.cancel()
        if again:
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert methods == ["POST", "GET", "DELETE"]

    asyncio.run(main())


def test_a_creation_that_is_cancelled_leaves_no_session():
    """The session is found by its key and stopped."""
    seen = []

    async def handler(request):
        seen.append(request)
        if len(seen) == 1:
            await asyncio.sleep(60)
        return Response(204) if request.method == "DELETE" else session()

    async def main():
        client = AsyncArchalClient(SETTINGS, transport=MockTransport(handler))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), client.sessions.open(clones=["github"]):
                pytest.fail("the body must not run")

    asyncio.run(main())
    assert [sent.method for sent in seen] == ["POST", "POST", "DELETE"]
    assert len({sent.headers["idempotency-key"] for sent in seen[:2]}) == 1


def test_a_failed_stop_does_not_hide_the_cancellation():
    """It causes no complaint of asyncio either."""

    async def handler(request):
        await asyncio.sleep(0.02)
        return Response(403) if request.method == "DELETE" else session()

    async def main():
        client = AsyncArchalClient(SETTINGS, transport=MockTransport(handler))

        async def use():
            async with client.sessions.open(clones=["github"]):
                pass

        task = asyncio.create_task(use())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_token_from_a_secret_is_read_on_a_thread():
    """It is read once, and renewed when the route refuses it."""
    values = iter(["old", "new"])

    def handler(request):
        if request.path == "/secretsmanager/get":
            return Response(200, json={"SecretString": next(values)})
        fresh = request.headers["x-route-authorization"] == "Bearer new"
        return Response(200 if fresh else 401, json={"error": "e", "code": "c"})

    settings = Settings(clone_urls=URLS, token_secret=TokenSecret("name", Secret("s")))
    mock = MockTransport(handler)

    async def main():
        async with AsyncClones(settings, transport=mock) as clones:
            return await clones["github"].get("/user")

    answer = asyncio.run(main())
    assert (answer.status_code, answer.attempts) == (200, 2)
    assert len(mock.requests) == 4


def test_a_secret_that_cannot_be_read_is_reported():
    """The synchronous clients report it in the same way."""
    settings = Settings(clone_urls=URLS, token_secret=TokenSecret("name", Secret("s")))

    async def main():
        clones = AsyncClones(settings, transport=script(403, 403))
        with pytest.raises(
            errors.ConfigurationError, match="ARCHAL_TOKEN_SECRET could not be read"
        ):
            await clones["github"].get("/user")
        with pytest.raises(errors.ConfigurationError):
            await clones.gather([("github", Request("GET", "/user"))])

    asyncio.run(main())


def test_a_secret_is_not_read_where_there_are_no_threads(monkeypatch):
    """On emscripten there is no extension to read a secret from."""
    monkeypatch.setattr(sys, "platform", "emscripten")
    mock = MockTransport(lambda _request: Response(200))
    secret = Settings(clone_urls=URLS, token_secret=TokenSecret("name", Secret("s")))
    for client, variable in (
        (lambda: AsyncClones(secret, transport=mock), "ARCHAL_TOKEN_SECRET"),
        (lambda: AsyncArchalClient(secret, transport=mock), "ARCHAL_TOKEN_SECRET"),
    ):
        with pytest.raises(errors.ConfigurationError) as caught:
            client()
        assert caught.value.variable == variable

    clones = AsyncClones(SETTINGS, transport=mock)
    assert asyncio.run(clones["github"].get("/")).status_code == 200


def test_nothing_is_sent_with_no_time_left():
    mock = MockTransport(lambda _request: Response(200))
    clones = AsyncClones(SETTINGS, transport=mock).with_deadline(Deadline.after(0))
    with pytest.raises(errors.RequestTimeout, match="no time was left to send"):
        asyncio.run(clones["github"].get("/"))
    assert mock.requests == []
