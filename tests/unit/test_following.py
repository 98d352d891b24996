"""Redirects, for those who ask for them."""

from __future__ import annotations

import pytest
from support.blocking import as_async
from support.fakes import Clock, repickled, script

from archal_lambda import (
    AsyncClones,
    Clones,
    Deadline,
    Request,
    RequestTimeout,
    Response,
    Settings,
)

BASE = "https://clone.test:8443/svc/api"


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, Clones=AsyncClones):
        yield request.param


def make(*outcomes, base=BASE, **options):
    transport = script(*outcomes)
    clones = Clones(Settings(clone_urls={"svc": base}, token="t"), transport=transport, **options)
    return clones["svc"], transport.requests


def to(location, status=301):
    return Response(status, headers={"Location": location})


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (f"{BASE}/repositories/1", "/svc/api/repositories/1"),
        (f"{BASE}/repositories/1?page=2", "/svc/api/repositories/1?page=2"),
        ("HTTPS://Clone.Test:8443/svc/api/a", "/svc/api/a"),
        ("/svc/api/repositories/1#top", "/svc/api/repositories/1"),
        ("other", "/svc/api/repos/other"),
        ("?page=2", "/svc/api/repos/old?page=2"),
        ("//clone.test:8443/svc/api/a", "/svc/api/a"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_base_is_followed(status, location, target):
    """With all headers of the call; the parameters are the new address's own."""
    clone, requests = make(to(location, status), Response(200))
    response = clone.get("/repos/old", params={"a": 1}, token="ghp", follow=True)
    assert response.status_code == 200
    assert [sent.target for sent in requests] == ["/svc/api/repos/old?a=1", target]
    assert requests[1].headers.pairs == requests[0].headers.pairs
    assert response.attempts == 2


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/svc/api/a",
        "https://clone.test/svc/api/a",
        "http://clone.test:8443/svc/api/a",
        "https://user@clone.test:8443/svc/api/a",
        "https://clone.test:8443@evil.test/svc/api/a",
        "//evil.test/svc/api/a",
        "/other/api/a",
        "/svc/apis/a",
        "/svc",
        "/svc/api/../../a",
        "../../../a",
        "/svc/api/%2e%2e/a",
        "/svc/api//evil.test",
        "https://clone.test:x/svc/api/a",
        "https://[x/svc/api",
        "ftp://clone.test:8443/svc/api/a",
        "",
    ],
)
def test_a_redirect_that_leads_elsewhere_is_the_response(location):
    clone, requests = make(to(location, 307))
    response = clone.get("/repos/old", follow=True)
    assert (response.status_code, response.headers["location"]) == (307, location)
    assert len(requests) == 1


def test_redirects_are_followed_only_if_asked():
    clone, requests = make(to(f"{BASE}/a"))
    assert clone.get("/repos/old").status_code == 301
    assert len(requests) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [307, 308])
def test_method_and_body_are_kept(status, method):
    """307 and 308 ask for the same request."""
    clone, requests = make(to("/svc/api/new", status), Response(201))
    response = clone.request(method, "/old", json={"a": 1}, follow=True)
    assert (response.status_code, response.method) == (201, method)
    assert [(sent.method, sent.content) for sent in requests] == [(method, b'{"a":1}')] * 2


@pytest.mark.parametrize(
    ("method", "status"),
    [("POST", 301), ("PUT", 302), ("DELETE", 303), ("GET", 300), ("GET", 304), ("GET", 200)],
)
def test_what_asks_for_another_request_is_the_response(method, status):
    """Nothing is made a GET that was none."""
    clone, requests = make(to("/svc/api/new", status))
    assert clone.request(method, "/old", follow=True).status_code == status
    assert len(requests) == 1


def test_a_loop_ends_after_five():
    clone, requests = make(*[to("/svc/api/a")] * 6)
    assert clone.get("/a", follow=True).status_code == 301
    assert len(requests) == 6


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_all_of_it_is_under_one_deadline():
    clock = Clock()

    def slowly(_request):
        clock.now += 4
        return to("/svc/api/a")

    clone, requests = make(*[slowly] * 3)
    with pytest.raises(RequestTimeout) as caught:
        clone.with_deadline(Deadline.after(10, clock=clock)).get("/a", follow=True)
    assert len(requests) == 3
    assert (caught.value.sent, caught.value.attempts) == (True, 3)


def test_a_call_that_was_redirected_is_recorded_once():
    records = []
    clone, _ = make(to("/svc/api/new"), Response(200), on_call=records.append)
    clone.get("/old", follow=True)
    (record,) = records
    assert (record.path, record.status_code, record.attempts) == ("/old", 200, 2)


def test_a_ready_request_says_whether_it_follows():
    """It may be pickled; anything but a truth value is refused."""
    request = Request("GET", "/old", follow=True)
    assert repickled(request).follow is request.follow is True
    assert Request("GET", "/old").follow is False
    with pytest.raises(TypeError, match="follow must be True or False"):
        Request("GET", "/old", follow="yes")


def test_a_page_that_moved_is_part_of_the_walk():
    clone, requests = make(to("/svc/api/new"), Response(200, json=[1]))
    assert list(clone.paginate("/old", type=list[int], follow=True)) == [1]
    assert len(requests) == 2
