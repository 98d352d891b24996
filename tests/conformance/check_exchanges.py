"""What is sent, and what comes back."""

from __future__ import annotations

import json

from conformance.host import ROUTE, TOKEN, fails

from archal_lambda import errors

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
    """Deflate without its wrapper as well, which servers send (RFC 9110, section 8.4.1.2)."""
    for coding in (
        "gzip",
        "x-gzip",
        "deflate",
        "raw-deflate",
        "gzip-deflate",
        "gzip-raw-deflate",
    ):
        answer = await host.svc.get(f"/coded-as/{host.key()}?{coding}")
        assert answer.text == "plain " * 50, coding


async def check_the_number_of_headers_hardly_matters(host):
    for count in (101, 400, 1200):
        key = host.key()
        answer = await host.svc.post(f"/many-fields/{key}?{count}", json={})
        assert (answer.status_code, answer.attempts) == (200, 1)
        assert answer.headers["x-100"].split(", ")[0] == "100"  # fetch joins repeated ones
        assert len(await host.seen(key)) == 1


async def check_blanks_in_the_names_of_headers(host):
    """Those behind a name are removed, a field with one within is left out (RFC 9112, section 5.1)."""
    key = host.key()
    answer = await host.svc.get(f"/spaced/{key}")
    assert (answer.status_code, answer.json()) == (401, {"message": "no"})
    assert (answer.headers["x-behind"], answer.headers["x-after"]) == ("b", "d")
    assert all(" " not in name for name in answer.headers)
    assert len(await host.seen(key)) == 1


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
