"""Which function of a template a request goes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda.invoke.routes import Route, find_route, http_routes


def found(routes, method, path):
    """The path of the route, and what stands in its braces."""
    hit = find_route(routes, method, path)
    return hit and (hit[0].path, hit[1])


def of(shape, *paths):
    """Routes of one shape, each as `METHOD path`."""
    pairs = [spelled.split() for spelled in paths]
    return [Route("F", shape, method, path) for method, path in pairs]


HTTP = of(
    "http-api",
    "ANY $default",
    "ANY /{all+}",
    "GET /users/{id}",
    "ANY /users/{id}",
    "GET /users/me",
    "POST /users/{id}/{rest+}",
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/users/me", ("/users/me", {})),
        ("GET", "/users/7", ("/users/{id}", {"id": "7"})),
        ("PUT", "/users/me", ("/users/{id}", {"id": "me"})),
        ("POST", "/users/7/a/b", ("/users/{id}/{rest+}", {"id": "7", "rest": "a/b"})),
        ("GET", "/users/7/a", ("/{all+}", {"all": "users/7/a"})),
        ("GET", "/users/", ("/{all+}", {"all": "users/"})),
        ("GET", "/", ("$default", {})),
    ],
)
def test_the_most_specific_route_wins(method, path, expected):
    """Whatever the order: exact before a parameter, that before a rest, that before the default."""
    assert found(HTTP, method, path) == expected
    assert found(HTTP[::-1], method, path) == expected


def test_the_slash_at_the_end():
    """An HTTP API takes it for another path, a REST API does not."""
    assert found(of("http-api", "GET /a"), "GET", "/a/") is None
    assert found(of("rest-api", "GET /a"), "GET", "/a/") == ("/a", {})
    assert found(of("rest-api", "GET /a"), "GET", "/a//") is None


def test_what_looks_like_a_pattern_is_none():
    assert found(of("http-api", "GET /a.b"), "GET", "/axb") is None
    assert found(of("function-url", "ANY /F/{proxy+}"), "GET", "/Far") is None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ("{A: {Type: HttpApi}}", ("http-api", "ANY", "$default", "$default", None)),
        (
            "{A: {Type: Api, Properties: {Path: /x, Method: any}}}",
            ("rest-api", "ANY", "/x", "Prod", None),
        ),
        (
            "{A: {Type: Api, Properties: {Path: /x, Method: get, RestApiId: !Ref Rest}}}",
            ("rest-api", "GET", "/x", "v1", "Mine"),
        ),
        (
            "{A: {Type: Api, Properties: {Path: /x, Method: get, RestApiId: !Ref Rest, Auth: {Authorizer: NONE}}}}",
            ("rest-api", "GET", "/x", "v1", None),
        ),
        (
            "{A: {Type: HttpApi, Properties: {Path: !Ref Where, Method: !Ref How}}, B: {Type: SQS}}",
            ("http-api", "POST", "/where", "$default", None),
        ),
    ],
)
def test_how_a_template_spells_a_route(tmp_path, events, expected):
    """Parameters at their defaults, the API's stage and authorizer."""
    template = tmp_path / "template.yaml"
    template.write_text(
        "Parameters: {Where: {Default: /where}, How: {Default: post}, Stage: {Default: v1}}\n"
        "Resources:\n"
        "  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: !Ref Stage, Auth: {DefaultAuthorizer: Mine}}}\n"
        f"  F: {{Type: AWS::Serverless::Function, Properties: {{Handler: a.b, Events: {events}}}}}\n"
    )

    (route,) = http_routes(template)

    assert (route.shape, route.method, route.path, route.stage, route.guard) == expected


PARTS = st.lists(st.sampled_from(["a", "b", "{x}", "{y}"]), min_size=1, max_size=4)
SEGMENTS = st.from_regex(r"[a-c%0-9.+]{1,4}", fullmatch=True)


@given(st.sampled_from(["http-api", "rest-api"]), PARTS, st.data())
def test_a_path_made_for_a_route_takes_it(shape, parts, data):
    """What was put in the braces comes out of them."""
    names = [f"{{p{number}}}" if part[0] == "{" else part for number, part in enumerate(parts)]
    given_parts = [data.draw(SEGMENTS) if name[0] == "{" else name for name in names]
    wanted = {
        name.strip("{}"): value
        for name, value in zip(names, given_parts, strict=True)
        if name[0] == "{"
    }
    route = Route("F", shape, "GET", "/" + "/".join(names))

    assert find_route([route], "GET", "/" + "/".join(given_parts)) == (route, wanted)
    assert find_route([route], "PUT", "/" + "/".join(given_parts)) is None
