"""The state of the ready session: back to the seed, marked, restored, compared, shown, and its clock."""

from __future__ import annotations

import asyncio
import base64
import copy
import datetime as dt
import gc
import itertools
import threading

import msgspec
import pytest
from support.fakes import Clock
from support.mcp_peer import Endpoint
from support.standin import Control, Route

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import Change, LocalArchal, UnsupportedError
from archal_lambda.local.clones.github.planting import named, plant
from archal_lambda.local.clones.github.state import State
from archal_lambda.local.server.changes import compare

REPO = "/repos/testuser/webshop"
DAY = 86_400


@pytest.fixture(scope="module")
def world():
    with LocalArchal(seeds={"github": "small-project"}) as running:
        yield running


@pytest.fixture
def archal(world):
    world.reset()
    return world


@pytest.fixture
def rest(archal):
    return Route(archal.base_url("github"), archal.token)


@pytest.fixture
def mcp(archal):
    """Call a tool of the ready session."""
    peer = Endpoint(archal.mcp_url("github"), archal.token)

    def call(name, **arguments):
        where = {"owner": "testuser", "repo": "webshop"}
        params = {"name": name, "arguments": {**where, **arguments}}
        result = peer.modern("tools/call", params).json["result"]
        assert not result["isError"], result
        return result["content"][0]["text"]

    return call


def make_changes(rest, mcp):
    """Change something of each kind, through both doors."""
    assert rest("PATCH", f"{REPO}/issues/1", {"state": "closed"}).status == 200
    mcp("issue_write", method="create", title="From a tool", labels=["bug"])
    mcp("add_issue_comment", issue_number=2, body="Soon.")
    comment = rest("GET", f"{REPO}/issues/1/comments").json[0]["id"]
    assert rest("DELETE", f"{REPO}/issues/comments/{comment}").status == 204
    assert rest("PATCH", f"{REPO}/labels/wontfix", {"color": "000000"}).status == 200
    assert rest("PATCH", REPO, {"private": True}).status == 200
    body = {"message": "Add", "content": base64.b64encode(b"TOTAL = 1\n").decode()}
    assert rest("PUT", f"{REPO}/contents/src/new.py", body).status == 201
    assert rest("POST", "/user/repos", {"name": "second"}).status == 201
    return comment


def test_a_diff_is_the_list_of_what_was_done(archal, rest, mcp):
    """By hand: seven things and a new repository with its nine labels, whichever door they came through."""
    mark = archal.snapshot()
    comment = make_changes(rest, mcp)
    changes = archal.diff(mark)

    added = {change.key for change in changes if change.kind == "label" and change.before is None}
    assert len(added) == 9
    assert all(key.startswith("testuser/second:") for key in added)
    rest_of_them = [change for change in changes if change.key not in added]
    assert [(one.kind, one.key, _shape(one)) for one in rest_of_them] == [
        ("repository", "testuser/second", "+"),
        ("repository", "testuser/webshop", "~"),
        ("issue", "testuser/webshop#1", "~"),
        ("issue", "testuser/webshop#4", "+"),
        ("comment", f"testuser/webshop#1#issuecomment-{comment}", "-"),
        ("comment", _new_comment(archal), "+"),
        ("label", "testuser/webshop:wontfix", "~"),
        ("file", "testuser/webshop:src/new.py", "+"),
    ]
    lines = [str(change) for change in rest_of_them]
    assert lines[1] == "github repository testuser/webshop: private false -> true"
    assert lines[2] == (
        "github issue testuser/webshop#1: state open -> closed, state_reason none -> completed"
    )
    assert lines[3].startswith(
        "+ github issue testuser/webshop#4: title From a tool, state open, author testuser, labels [bug]"
    )
    assert lines[4].startswith(f"- github comment testuser/webshop#1#issuecomment-{comment}: body")
    assert lines[6] == "github label testuser/webshop:wontfix: color ffffff -> 000000"
    assert {change.clone for change in changes} == {"github"}


def _shape(change):
    return "+" if change.before is None else "-" if change.after is None else "~"


def _new_comment(archal):
    comments = archal.state()["github"]["comment"]
    return next(key for key, one in comments.items() if one["body"] == "Soon.")


def test_a_reset_is_finished_when_it_returns(archal, rest, mcp):
    """Both doors lead to the seed, and ids begin where they began."""
    before = archal.state()
    mark = archal.snapshot()
    make_changes(rest, mcp)
    assert rest("POST", f"{REPO}/issues", {"title": "x"}).json["number"] == 5
    assert archal.reset() is None
    assert archal.state() == before
    assert archal.diff(mark) == []
    assert rest("GET", f"{REPO}/issues/4").status == 404
    assert '"From a tool"' not in mcp("list_issues")
    first = rest("POST", f"{REPO}/issues", {"title": "x"}).json
    archal.reset("github")
    again = rest("POST", f"{REPO}/issues", {"title": "x"}).json
    assert (first["number"], first["id"]) == (again["number"], again["id"]) == (4, first["id"])


def test_a_thousand_resets(archal, rest):
    """Each is whole, and none costs more than the one before."""
    for number in range(1000):
        if number % 100 == 0:
            assert rest("POST", f"{REPO}/issues", {"title": "x"}).json["number"] == 4
        archal.reset()
    assert len(archal.state()["github"]["issue"]) == 3


def test_marks_stay_good(archal, rest):
    """Many may exist, each may be restored over and over, in any order; two are equal if they are the same."""
    marks = []
    for number in range(4, 9):
        marks.append(archal.snapshot())
        assert rest("POST", f"{REPO}/issues", {"title": f"{number}"}).json["number"] == number
    assert len(set(marks)) == 5
    assert marks[0] == copy.deepcopy(marks[0]) != marks[1]
    assert repr(marks[0]) == (
        f"Mark(name='{marks[0].name}', session_id='{archal.session_id}', clones=('github',))"
    )
    for index in (3, 0, 4, 0, 2):
        archal.restore(marks[index])
        assert len(archal.state()["github"]["issue"]) == 3 + index
        assert archal.diff(marks[index]) == []
        rest("PATCH", f"{REPO}/issues/1", {"title": "never in a mark"})
    assert len(archal.diff(marks[4])) == 3


def test_a_mark_is_given_back_with_its_name(archal):
    """Nothing is kept that nobody can name."""
    parts = archal._keeper._parts
    gc.collect()
    before = len(parts)
    kept = [archal.snapshot() for _ in range(20)]
    assert len(parts) == before + 20
    del kept[1:]
    gc.collect()
    assert len(parts) == before + 1


def test_requests_in_flight_see_one_state_or_the_other(archal, rest):
    """While resets and restores go on, an issue is as one of two marks has it, through and through."""
    first = archal.snapshot()
    body = {"title": "b", "body": "b", "labels": ["b"], "state": "closed"}
    assert rest("PATCH", f"{REPO}/issues/1", body).status == 200
    second = archal.snapshot()
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            issue = rest("GET", f"{REPO}/issues/1").json
            seen.add((issue["title"], issue["body"], issue["state"], len(issue["labels"])))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for mark in [first, second] * 100:
        archal.restore(mark)
    stop.set()
    for reader in readers:
        reader.join(5)
    assert seen <= {
        ("Checkout fails on an empty cart", "It answers 500.", "open", 2),
        ("b", "b", "closed", 1),
    }
    assert seen


def test_the_rate_limit_goes_back_with_the_state(archal, rest):
    """A reset is a fresh clone to whoever asks."""
    archal.reset()
    first = rest("GET", "/user").header("x-ratelimit-used")
    rest("GET", "/user")
    archal.reset()
    assert rest("GET", "/user").header("x-ratelimit-used") == first


def test_a_state_is_short_and_plain(archal):
    """Kinds in order, keys as people write them, and nothing but JSON; an object of short words."""
    state = archal.state("github")["github"]
    assert list(state) == ["user", "repository", "issue", "comment", "label", "file", "hook"]
    assert set(state["user"]) == {"testuser", "octocat"}
    assert set(state["issue"]) == {f"testuser/webshop#{number}" for number in (1, 2, 3)}
    assert state["issue"]["testuser/webshop#1"]["labels"] == ["bug", "area/checkout"]
    assert "testuser/webshop:bug" in state["label"]
    assert state["file"]["testuser/webshop:src/cart.py"]["text"] == "TOTAL = 0\n"
    encoded = msgspec.json.encode(state)
    assert msgspec.json.decode(encoded) == state
    assert len(encoded) < 4000


def test_files_that_are_not_text_are_told_by_their_hash(archal, rest):
    """And so are long ones, so that the state can be read."""
    for name, data in (("a.bin", b"\xff\x00"), ("long.txt", b"x" * 20_000)):
        body = {"message": "Add", "content": base64.b64encode(data).decode()}
        assert rest("PUT", f"{REPO}/contents/{name}", body).status == 201
        told = archal.state()["github"]["file"][f"testuser/webshop:{name}"]
        assert told["text"] is None
        assert told["sha"] == rest("GET", f"{REPO}/contents/{name}").json["sha"]


def test_a_copy_of_a_state_is_without_its_clock():
    """Of the objects nothing is shared; whoever brings the copy to life gives it a clock."""
    state = State(clock=Clock())
    plant(state, named("small-project"))
    other = copy.deepcopy(state)
    assert not hasattr(other, "clock")
    assert other.viewer is other.users["testuser"] is not state.viewer
    repo, copied = state.repos["testuser/webshop"], other.repos["testuser/webshop"]
    assert copied.issues[1].labels[0] is copied.labels["bug"] is not repo.labels["bug"]
    assert copied.comments_of(copied.issues[1])


def test_an_issue_can_be_old_while_the_session_goes_on(archal, rest):
    """The clone's clock is apart from the session's; it goes on from where it was put."""
    ends = Control(archal.api_url, archal.token)("GET", f"/api/sessions/{archal.session_id}").json
    clock = archal.clock("github")
    now = clock.now
    clock.set(now - 31 * DAY)
    number = rest("POST", f"{REPO}/issues", {"title": "old"}).json["number"]
    clock.set(dt.datetime.fromtimestamp(now, dt.UTC))
    rest("POST", f"{REPO}/issues/{number}/comments", {"body": "new"})
    issue = rest("GET", f"{REPO}/issues/{number}").json
    age = _seconds(issue["updated_at"]) - _seconds(issue["created_at"])
    assert abs(age - 31 * DAY) < 60
    clock.forward(dt.timedelta(days=31))
    clock.forward(5)
    assert 0 <= clock.now - (now + 31 * DAY + 5) < 60
    reset_at = int(rest("GET", "/user").header("x-ratelimit-reset"))
    assert reset_at > now + 31 * DAY
    after = Control(archal.api_url, archal.token)("GET", f"/api/sessions/{archal.session_id}").json
    assert after == ends


def _seconds(text):
    return dt.datetime.fromisoformat(text).timestamp()


def test_the_clock_moves_before_the_first_request():
    """What the seed calls old is as old as it says, because the clone begins first."""
    clock = Clock(1_800_000_000.0)
    with LocalArchal(seeds={"github": "stale-issues"}, clock=clock) as archal:
        archal.clock("github").forward(31 * DAY)
        issue = archal.state()["github"]["issue"]["testuser/webshop#6"]
        assert _seconds(issue["created_at"]) == clock.now - 5 * DAY


def test_clocks_go_back_with_the_state(archal):
    """A reset puts them to the server's time, a restore to as far ahead as the mark was."""
    clock = archal.clock("github")
    now = clock.now
    clock.forward(1000)
    mark = archal.snapshot()
    clock.forward(1000)
    archal.restore(mark)
    assert 1000 <= clock.now - now < 1060
    archal.reset()
    assert 0 <= clock.now - now < 60


@pytest.mark.parametrize(
    ("move", "message"),
    [
        (lambda clock: clock.set(dt.datetime(2026, 1, 1)), "now must have a time zone"),  # noqa: DTZ001 - the mistake
        (lambda clock: clock.set(-1), "now must be a time from 1970"),
        (lambda clock: clock.set(float("nan")), "now must be a time from 1970"),
        (lambda clock: clock.set(10**400), "now must be a time from 1970"),
        (lambda clock: clock.set("2026-01-01"), "now must be a number"),
        (lambda clock: clock.set(None), "now must be a number"),
        (lambda clock: clock.set(True), "now must be a number"),
        (lambda clock: clock.forward(-1), "by must be 0 seconds or more"),
        (lambda clock: clock.forward(dt.timedelta(days=-1)), "by must be 0 seconds or more"),
        (lambda clock: clock.forward(float("inf")), "by must be 0 seconds or more"),
        (lambda clock: clock.forward("1"), "by must be a number"),
        (lambda clock: clock.forward(1e12), "now must be a time from 1970"),
    ],
)
def test_a_moment_that_is_none_is_refused(archal, move, message):
    """And the clock stays as it is."""
    clock = archal.clock("github")
    before = clock.now
    with pytest.raises(ConfigurationError, match=message):
        move(clock)
    assert 0 <= clock.now - before < 60


@pytest.mark.parametrize(
    "use",
    [
        lambda archal: archal.reset("slack"),
        lambda archal: archal.snapshot("slack"),
        lambda archal: archal.state("slack"),
        lambda archal: archal.clock("slack"),
        lambda archal: archal.reset(["github"]),
    ],
)
def test_an_unknown_clone_is_named_by_what_there_is(archal, use):
    """It is a wrong argument."""
    with pytest.raises(ConfigurationError, match="clone must be one of the session's: github"):
        use(archal)


def test_a_foreign_mark_is_refused(archal):
    """Of another local Archal, of an earlier run, of a session that is gone, or no mark at all."""
    with LocalArchal() as other:
        foreign = other.snapshot()
        other.stop()
        other.start()
        with pytest.raises(ConfigurationError, match=r"mark must be one that snapshot\(\) gave"):
            other.restore(foreign)
    for mark in (foreign, None, "m1", msgspec.structs.replace(archal.snapshot(), name="m0")):
        for use in (archal.restore, archal.diff):
            with pytest.raises(ConfigurationError, match=archal.session_id):
                use(mark)


def test_a_session_that_has_ended_has_no_state():
    """Whoever ended it, and by time as well."""
    clock = Clock(1_800_000_000.0)
    with LocalArchal(clock=clock) as archal:
        mark, hands = archal.snapshot(), archal.clock("github")
        Control(archal.api_url, archal.token)("DELETE", f"/api/sessions/{archal.session_id}")
        for use in _uses(archal, mark, hands):
            with pytest.raises(RuntimeError, match="the session has ended"):
                use()
    with LocalArchal(clock=clock) as archal:
        clock.now += 2 * DAY
        with pytest.raises(RuntimeError, match="the session has ended"):
            archal.reset()


def test_a_stopped_archal_has_no_state():
    """Nor has one that was never started."""
    archal = LocalArchal()
    with pytest.raises(RuntimeError, match="does not run: use it as a context manager"):
        archal.reset()
    with archal:
        mark, hands = archal.snapshot(), archal.clock("github")
    for use in _uses(archal, mark, hands):
        with pytest.raises(RuntimeError, match="does not run"):
            use()


def _uses(archal, mark, clock):
    return (
        archal.reset,
        archal.snapshot,
        lambda: archal.restore(mark),
        lambda: archal.diff(mark),
        archal.state,
        lambda: clock.now,
        lambda: clock.forward(1),
    )


def test_the_servers_own_thread_is_refused():
    """From `on_request` and from a clone it cannot wait for itself; the request is served all the same."""
    caught = []

    def refused(*_):
        for use in (archal.reset, archal.snapshot, lambda: archal.clock("github").now):
            try:
                use()
            except RuntimeError as error:
                caught.append(str(error))

    async def nosy(scope, receive, send):
        refused()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    extra = {"nosy": lambda _base: nosy}
    with LocalArchal(on_request=refused, extra_clones=extra) as archal:
        assert Route(archal.base_url("nosy"), archal.token)("GET", "/").status == 204
    assert len(caught) == 6
    assert all("own thread, which cannot wait for itself" in words for words in caught)


def test_any_thread_may_ask(archal, rest):
    """Many at once, and the thread of a running event loop."""

    async def inside():
        archal.reset()
        mark = archal.snapshot()
        return archal.diff(mark)

    assert asyncio.run(inside()) == []
    failures = []

    def many():
        try:
            for _ in range(20):
                mark = archal.snapshot()
                archal.reset()
                archal.restore(mark)
                archal.state()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


def test_a_stop_in_between_is_an_error_and_no_wait_for_ever():
    """Whoever waits for a server that ends is told so."""
    for _ in range(10):
        archal = LocalArchal().start()
        ended = []

        def ask(archal=archal, ended=ended):
            try:
                while True:
                    archal.reset()
            except RuntimeError as error:
                ended.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        archal.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert "does not run" in ended[0]


def test_changes_are_in_a_sensible_order():
    """Kinds as the clone has them, numbers as numbers."""
    after = {"b": {"r#10": {"x": 1}, "r#9": {"x": 1}, "r": {"x": 1}}, "a": {"k": {}}}
    found = [(one.kind, one.key) for one in compare("c", {"z": {"gone": {}}}, after)]
    assert found == [("b", "r"), ("b", "r#9"), ("b", "r#10"), ("a", "k"), ("z", "gone")]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({"a": 1}, {"a": 2}, "c k x: a 1 -> 2"),
        ({"a": None}, {}, "c k x: a none -> none"),
        ({"a": []}, {"a": ["p q", "ü\x1b[1m"]}, 'c k x: a [] -> [p q, "ü\\u001b[1m"]'),
        ({"a": "x"}, {"a": "y" * 100}, f"c k x: a x -> {'y' * 59}…"),
        ({"a": ""}, {"a": "\u202e"}, 'c k x: a "" -> "\\u202e"'),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, 'c k x: a {"b":1} -> {"b":2}'),
        (1, [2], "c k x: 1 -> [2]"),
        (None, {"a": False, "b": [], "c": "d"}, "+ c k x: c d"),
        ({}, None, "- c k x"),
    ],
)
def test_a_change_is_a_line_that_a_terminal_can_show(before, after, line):
    """Values are cut, and nothing that is not printable is printed."""
    change = Change(clone="c", kind="k", key="x", before=before, after=after)
    assert str(change) == line
    assert msgspec.convert(msgspec.to_builtins(change), Change) == change


def test_a_key_cannot_forge_a_line():
    """Names of files are the caller's words."""
    change = Change(clone="c", kind="file", key="a\n- c user root", before=None, after={})
    assert str(change) == "+ c file a\\n- c user root"
    assert str(change).isprintable()


def counter(number=0, hooks=("snapshot", "restore", "state", "reset"), *, awaited=False):
    """A clone that counts its requests, with as many handles as it is told."""
    numbers = itertools.count(1)

    def factory(_base):
        memory = {"count": number, "made": next(numbers)}

        async def app(scope, receive, send):
            memory["count"] += 1
            body = msgspec.json.encode(memory)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        offered = {
            "snapshot": lambda: dict(memory),
            "restore": memory.update,
            "state": lambda: {"number": {"count": {"value": memory["count"]}}},
            "reset": lambda: memory.update(count=number),
        }

        def later(work):
            async def ask(*arguments):
                await asyncio.sleep(0)
                return work(*arguments)

            return ask

        for name in hooks:
            setattr(app, name, later(offered[name]) if awaited else offered[name])
        return app

    return factory


@pytest.mark.parametrize("awaited", [False, True])
def test_an_extra_clone_may_offer_the_handles(awaited):
    """As plain or as awaitable functions of the application."""
    with LocalArchal(clones=[], extra_clones={"mine": counter(awaited=awaited)}) as archal:
        mine = Route(archal.base_url("mine"), archal.token)
        assert mine("GET", "/").json["count"] == 1
        mark = archal.snapshot()
        mine("GET", "/")
        assert [str(change) for change in archal.diff(mark)] == ["mine number count: value 1 -> 2"]
        archal.restore(mark)
        assert archal.state() == {"mine": {"number": {"count": {"value": 1}}}}
        archal.reset()
        assert mine("GET", "/").json == {"count": 1, "made": 1}


def test_an_extra_clone_without_handles_is_made_anew():
    """A reset is a new application; the rest names the clone and what it cannot."""
    extra = {"mine": counter(hooks=())}
    with LocalArchal(extra_clones=extra) as archal:
        mine = Route(archal.base_url("mine"), archal.token)
        mine("GET", "/")
        archal.reset()
        assert mine("GET", "/").json == {"count": 1, "made": 2}
        for use, words in (
            (archal.snapshot, "^the mine clone cannot give a snapshot of its state"),
            (archal.state, "^the mine clone cannot show its state"),
            (lambda: archal.clock("mine").now, "^the mine clone cannot move its clock"),
            (lambda: archal.clock("mine").set(0), "^the mine clone cannot move its clock"),
        ):
            with pytest.raises(UnsupportedError, match=words):
                use()
        assert archal.diff(archal.snapshot("github")) == []


def test_a_clone_that_cannot_be_compared_can_be_restored():
    """Without `state`, only `diff` says no."""
    extra = {"mine": counter(hooks=("snapshot", "restore"))}
    with LocalArchal(clones=[], extra_clones=extra) as archal:
        mark = archal.snapshot()
        archal.restore(mark)
        with pytest.raises(UnsupportedError, match="the mine clone cannot show its state"):
            archal.diff(mark)


def test_a_frameworks_own_attributes_are_not_handles():
    """Starlette's applications have a `state` that cannot be called."""
    from starlette.applications import Starlette  # noqa: PLC0415 - the one test of it

    with LocalArchal(clones=[], extra_clones={"mine": lambda _base: Starlette()}) as archal:
        with pytest.raises(UnsupportedError, match="the mine clone cannot show its state"):
            archal.state()
        archal.reset()


def test_a_clone_that_fails_to_reset_keeps_no_other_from_it():
    """Its own error is what the caller gets."""

    def factory(_base):
        async def app(scope, receive, send):
            raise AssertionError

        def reset():
            raise LookupError("mine")

        app.reset = reset
        return app

    with LocalArchal(clones=["mine", "github"], extra_clones={"mine": factory}) as archal:
        Route(archal.base_url("mine"), archal.token)("GET", "/")  # which starts it
        rest = Route(archal.base_url("github"), archal.token)
        rest("POST", "/user/repos", {"name": "x"})
        with pytest.raises(LookupError, match="mine"):
            archal.reset()
        assert archal.state("github")["github"]["repository"] == {}


def test_what_is_not_json_is_no_state():
    """The error says what is expected."""

    def factory(_base):
        app = counter()(_base)
        app.state = lambda: [object()]
        return app

    with (
        LocalArchal(clones=[], extra_clones={"mine": factory}) as archal,
        pytest.raises(TypeError, match=r"state\(\) of an extra clone must give JSON"),
    ):
        archal.state()
