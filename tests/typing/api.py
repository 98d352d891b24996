"""What type checkers must see; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import msgspec

from archal_lambda import (
    ArchalClient,
    ArchalError,
    Clone,
    Clones,
    Deadline,
    Request,
    Response,
    Session,
    SessionList,
    Settings,
    StatusError,
    Timeout,
    UnknownCloneError,
    errors,
)
from archal_lambda.transports.mock import MockTransport

if TYPE_CHECKING:
    from archal_lambda import CallRecord


class Repo(msgspec.Struct):
    """A repository."""

    name: str


class Context:
    """All that a deadline needs of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Say what is left."""
        return 30_000


def on_call(record: CallRecord) -> None:
    """Take a record."""
    assert_type(record.status_code, int | None)


def calls() -> None:
    """What a clone's methods give."""
    transport = MockTransport(lambda request: Response(200, json=request.path))
    clones = Clones.from_env({}, transport=transport, timeout=5, on_call=on_call)
    assert_type(clones, Clones)
    github = clones["github"]
    assert_type(github, Clone)
    response = github.post(
        "/a", json={"name": "x"}, params=[("a", 1)], token="t", timeout=Timeout(3)
    )
    assert_type(response, Response)
    assert_type(response.raise_for_status(), Response)
    assert_type(response.raise_for_status().decode(Repo), Repo)
    assert_type(response.decode(list[Repo]), list[Repo])
    assert_type(response.rejected_by, str | None)
    assert_type(response.retry_after, float | None)
    for repo in github.paginate("/a", type=list[Repo], params={"b": [1, 2]}):
        assert_type(repo, Repo)
    assert_type(clones.gather([("github", Request("GET", "/a"))]), list[Response | ArchalError])
    deadline = Deadline.from_context(Context(), reserve=0.5)
    assert_type(clones.with_deadline(deadline), Clones)
    assert_type(github.with_deadline(deadline), Clone)


def sessions() -> None:
    """What the control plane's methods give."""
    with ArchalClient(Settings(token="t")) as client:
        assert_type(client, ArchalClient)
        session = client.sessions.create(
            clones=["github"], ttl_seconds=60, seeds={"github": "empty"}
        )
        assert_type(session, Session)
        assert_type(client.sessions.wait_until_running(session.session_id, timeout=120), Session)
        assert_type(client.sessions.list(), SessionList)
        assert_type(client.sessions.list()[0], Session)
        with client.sessions.open(clones=("github",), rate_limit=5) as hosted:
            assert_type(hosted.clones["github"], Clone)
            assert_type(hosted.session, Session)


def failures() -> None:
    """What an error holds."""
    try:
        calls()
    except UnknownCloneError as error:
        assert_type(error.known, tuple[str, ...])
    except errors.RequestTimeout as error:
        assert_type(error.phase, errors.Phase)
    except StatusError as error:
        assert_type(error.response.status_code, int)
        assert_type(error.response.decode(Repo), Repo)
        assert_type(error.detail, str | None)


def mistakes() -> None:
    """What a type checker must refuse: an unused `type: ignore` is an error, so each of these lines is one."""
    github = Clones.from_env()["github"]
    github.get("/a", tokens="t")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    github.get("/a", timeout="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    github.paginate("/a", type=Repo)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ArchalClient.from_env().sessions.create(clones=["a"], ttl=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ArchalClient.from_env().sessions.create(["a"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Request("GET", "/a").path = "/b"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    Settings().token = None  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    github.get("/a").status_code = 200  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    Timeout(1.0).total = 2.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
