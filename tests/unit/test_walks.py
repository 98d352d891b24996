"""Lists as services give them: their links, their wrappings, and where they end."""

from __future__ import annotations

import msgspec
import pytest
from support.blocking import as_async
from support.fakes import script

from archal_lambda import (
    AsyncClones,
    Clones,
    DecodeError,
    PageLimitError,
    Response,
    Settings,
)
from archal_lambda.core.headers import next_link
from archal_lambda.core.url import BaseUrl


class Item(msgspec.Struct):
    id: int


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, Clones=AsyncClones):
        yield request.param


def make(*outcomes, base="https://clone.test/svc/api"):
    transport = script(*outcomes)
    clones = Clones(Settings(clone_urls={"svc": base}, token="t"), transport=transport)
    return clones["svc"], transport.requests


def page(*ids, link=None, wrap=None):
    items = [{"id": one} for one in ids]
    headers = {} if link is None else {"Link": link}
    return Response(200, json=items if wrap is None else wrap(items), headers=headers)


def following(link):
    return f'<{link}>; rel="next"'


# As the services' documentation shows them, or their servers sent them; ids are made up.
RECORDED = {
    "github": (
        "/github/api",
        "/repositories/1300192/issues?page=2",
        (
            '<https://api.github.com/repositories/1300192/issues?page=2>; rel="prev", '
            '<https://api.github.com/repositories/1300192/issues?page=4>; rel="next", '
            '<https://api.github.com/repositories/1300192/issues?page=515>; rel="last", '
            '<https://api.github.com/repositories/1300192/issues?page=1>; rel="first"'
        ),
        "/github/api/repositories/1300192/issues?page=4",
    ),
    "gitlab": (
        "/gitlab/api/v4",
        "/projects/9/issues/8/notes",
        (
            '<https://gitlab.example.com/api/v4/projects/9/issues/8/notes?page=1&per_page=3>; rel="prev", '
            '<https://gitlab.example.com/api/v4/projects/9/issues/8/notes?page=3&per_page=3>; rel="next", '
            '<https://gitlab.example.com/api/v4/projects/9/issues/8/notes?page=1&per_page=3>; rel="first"'
        ),
        "/gitlab/api/v4/projects/9/issues/8/notes?page=3&per_page=3",
    ),
    "sentry": (
        "/sentry/api/0",
        "/projects/1/groups/",
        (
            '<https://sentry.io/api/0/projects/1/groups/?&cursor=1420837590:0:1>; rel="previous"; '
            'results="false"; cursor="1420837590:0:1", '
            '<https://sentry.io/api/0/projects/1/groups/?&cursor=1420837533:0:0>; rel="next"; '
            'results="true"; cursor="1420837533:0:0"'
        ),
        "/sentry/api/0/projects/1/groups/?&cursor=1420837533:0:0",
    ),
    "shopify": (
        "/shopify",
        "/admin/api/2024-01/products.json",
        (
            "<https://shop.example.com/admin/api/2024-01/products.json?page_info=hijgklmn&limit=3>; "
            "rel=next"
        ),
        "/shopify/admin/api/2024-01/products.json?page_info=hijgklmn&limit=3",
    ),
    "okta": (
        "/okta/api/v1",
        "/users",
        (
            '<https://dev.okta.com/api/v1/users?limit=20>; rel="self", '
            '<https://dev.okta.com/api/v1/users?after=100u65xtp32NovHoPx1d7&limit=20>; rel="next"'
        ),
        "/okta/api/v1/users?after=100u65xtp32NovHoPx1d7&limit=20",
    ),
    "relative": (
        "/v2/registry",
        "/v2/_catalog",
        '</v2/_catalog?last=b&n=2>; rel="next"',
        "/v2/registry/v2/_catalog?last=b&n=2",
    ),
}


@pytest.mark.parametrize(
    ("base", "first", "link", "target"), RECORDED.values(), ids=RECORDED.keys()
)
def test_recorded_links_lead_to_the_next_page_of_this_clone(base, first, link, target):
    """GitHub, GitLab, Sentry, Shopify, Okta, and a registry that links without a host."""
    clone, requests = make(page(1, link=link), page(2), base=f"https://clone.test{base}")
    assert [item.id for item in clone.paginate(first, type=list[Item])] == [1, 2]
    assert requests[1].target == target


@pytest.mark.parametrize(
    ("base", "link", "path"),
    [
        ("/github/api/v3", "/api/v3/items", "/items"),
        ("/github/api/v3", "/v3/items", "/items"),
        ("/github/api/v3", "/github/api/v3/items", "/items"),
        ("/github/api/v3", "/api/v3?page=2", "?page=2"),
        ("/github/api/v3", "/api/v30/items", "/api/v30/items"),
        ("/github/api/v3", "/api/items", "/api/items"),
        ("/github/api/v3", "/items", "/items"),
        ("/a/a/a", "/a/a/a/a", "/a"),
        ("/a/a/a", "/a/a/b", "/b"),
        ("", "/items", "/items"),
    ],
)
def test_what_a_link_shares_with_the_base_counts_once(base, link, path):
    """The longest end of the base that the link begins with, segment by segment."""
    assert BaseUrl(f"https://clone.test{base}").relative(f"https://svc.test{link}") == path


@pytest.mark.parametrize(("link", "target"), [("?page=2", "/api/a?page=2"), ("b", "/api/b")])
def test_a_link_relative_to_its_page_is_below_the_base_already(link, target):
    """Nothing of it is taken for a part of the base, whatever it is called."""
    clone, requests = make(page(1, link=following(link)), page(2))
    list(clone.paginate("/api/a", type=list[Item]))
    assert requests[1].target == f"/svc/api{target}"


def test_a_walk_ends_where_sentry_says_that_nothing_comes():
    last = '<https://sentry.io/api/0/x/?cursor=0:100:0>; rel="next"; results="false"; cursor="0"'
    clone, requests = make(page(1, link=last))
    assert [item.id for item in clone.paginate("/x/", type=list[Item])] == [1]
    assert len(requests) == 1


@pytest.mark.parametrize("wrap", [None, lambda items: {"items": items}])
def test_a_walk_ends_at_an_empty_page(wrap):
    """Its link is not followed."""
    clone, requests = make(
        page(1, link=following("/x?page=2"), wrap=wrap),
        page(link=following("/x?page=3"), wrap=wrap),
    )
    walk = clone.paginate("/x", type=list[Item], items=None if wrap is None else "items")
    assert [item.id for item in walk] == [1]
    assert len(requests) == 2


def endless(request):
    number = int(request.query.partition("=")[2] or 1)
    link = following(f"/x?page={number + 1}")
    return Response(200, json=[number], headers={"Link": link})


def test_a_list_without_end_is_an_error_behind_the_last_page_allowed():
    """The items of the pages that were allowed are given before."""
    clone, requests = make(*[endless] * 3)
    seen = []
    walk = map(seen.append, clone.paginate("/x", type=list[int], max_pages=3))
    with pytest.raises(PageLimitError, match="more than 3 pages; max_pages sets another") as caught:
        list(walk)
    assert (caught.value.limit, seen, len(requests)) == (3, [1, 2, 3], 3)


def test_without_a_limit_of_the_callers_a_thousand_pages_are_fetched():
    clone, requests = make(*[endless] * 1001)
    with pytest.raises(PageLimitError):
        list(clone.paginate("/x", type=list[int]))
    assert len(requests) == 1000


def test_a_list_of_as_many_pages_as_allowed_is_whole():
    clone, _ = make(page(1, link=following("/x?page=2")), page(2))
    assert [item.id for item in clone.paginate("/x", type=list[Item], max_pages=2)] == [1, 2]


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_limit_that_is_none_is_refused_at_once(limit, error):
    clone, requests = make()
    with pytest.raises(error, match="max_pages"):
        clone.paginate("/x", type=list[Item], max_pages=limit)
    assert requests == []


@pytest.mark.parametrize(
    ("items", "wrap"),
    [
        ("items", lambda items: {"total_count": 2, "items": items}),
        ("workflow_runs", lambda items: {"total_count": 2, "workflow_runs": items}),
        (lambda body: body["data"]["nodes"], lambda items: {"data": {"nodes": items}}),
    ],
)
def test_a_list_inside_an_object_is_taken_out(items, wrap):
    """By its key, or by a function; search and workflow runs come like this."""
    clone, _ = make(page(1, 2, link=following("/x?page=2"), wrap=wrap), page(3, wrap=wrap))
    assert [item.id for item in clone.paginate("/x", type=list[Item], items=items)] == [1, 2, 3]


@pytest.mark.parametrize("body", [{"other": []}, {"items": None}, {"items": [{"id": "a"}]}, []])
def test_a_page_without_its_list_is_a_decode_error(body):
    clone, _ = make(Response(200, json=body))
    with pytest.raises(DecodeError):
        list(clone.paginate("/x", type=list[Item], items="items"))


def test_where_an_item_is_wrong_is_said_from_the_page():
    clone, _ = make(Response(200, json={"items": [{"id": 1}, {"id": "a"}]}))
    with pytest.raises(DecodeError) as caught:
        list(clone.paginate("/x", type=list[Item], items="items"))
    assert caught.value.path == "$.items[1].id"


def test_a_callers_function_fails_as_it_does():
    clone, _ = make(Response(200, json={}))
    with pytest.raises(KeyError):
        list(clone.paginate("/x", type=list[Item], items=lambda body: body["items"]))


@pytest.mark.parametrize(
    ("link", "target"), [(None, None), (following("/x?page=2"), "/x?page=2"), ("<a>; rel=x", None)]
)
def test_a_response_gives_its_link_to_the_next_page(link, target):
    assert page(link=link).next_page == target


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ('<a>; rel="next"; results="true"', "a"),
        ('<a>; results="false"; rel="next"', None),
        ('<a>; rel="next"; RESULTS=false', None),
        ('<a>; rel="previous"; results="false", <b>; rel="next"; results="true"', "b"),
    ],
)
def test_a_next_page_without_results_is_none(value, link):
    assert next_link(value) == link
