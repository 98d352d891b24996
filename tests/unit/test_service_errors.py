"""How services word a failure, and what our own judgement makes of it."""

from __future__ import annotations

import pytest

from archal_lambda import Request, Response
from archal_lambda.faults.service_errors import archal_error, service_error, token_revoked

SERVICES = ["discord", "github", "jira", "linear", "slack", "stripe"]
STATUSES = [400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504, 418, 599]


def response(made):
    return Response(
        made.status,
        headers=made.headers,
        content=made.content,
        request=Request("GET", "/", token="t"),
    )


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("service", SERVICES)
def test_a_services_failure_is_taken_for_the_services(service, status):
    made = response(service_error(service, status, 7))

    assert (made.status_code, made.retry_after, made.rejected_by) == (status, 7.0, "clone")
    assert isinstance(made.json(), dict)
    assert made.error_message or service == "slack"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_the_route_is_taken_for_the_routes(status):
    made = response(archal_error(status, "unauthorized", "x-route-authorization is wrong"))

    assert made.rejected_by == "route"


def test_a_service_that_is_not_known_gets_a_message_alone():
    made = response(service_error("calcom", 503))

    assert made.json() == {"message": "Service Unavailable"}
    assert made.retry_after is None
    assert response(service_error("calcom", 418)).json() == {"message": "Bad Request"}


@pytest.mark.parametrize(
    ("service", "status", "body"),
    [
        ("slack", 429, {"ok": False, "error": "ratelimited"}),
        ("slack", 500, {"ok": False, "error": "internal_error"}),
        (
            "discord",
            429,
            {"message": "You are being rate limited.", "retry_after": 2.0, "global": False},
        ),
        ("discord", 404, {"message": "404: Not Found", "code": 0}),
        ("discord", 403, {"message": "Missing Access", "code": 50001}),
        ("jira", 429, {"errorMessages": ["Rate limit exceeded."], "errors": {}}),
    ],
)
def test_what_is_documented_word_for_word(service, status, body):
    assert response(service_error(service, status, 2)).json() == body


def test_the_secondary_rate_limit_of_github_is_403_as_well():
    """With Retry-After; without it, a 403 is about permissions."""
    limited, forbidden = service_error("github", 403, 1), service_error("github", 403)

    assert "secondary rate limit" in response(limited).json()["message"]
    assert "personal access token" in response(forbidden).json()["message"]


@pytest.mark.parametrize(
    ("service", "status", "where", "word"),
    [
        ("github", 401, "message", "Bad credentials"),
        ("slack", 200, "error", "token_revoked"),
        ("discord", 401, "message", "401: Unauthorized"),
        ("calcom", 401, "message", "Unauthorized"),
    ],
)
def test_a_token_that_is_revoked(service, status, where, word):
    made = response(token_revoked(service))

    assert (made.status_code, made.json()[where]) == (status, word)


def test_a_revoked_token_of_stripe_and_linear():
    stripe, linear = response(token_revoked("stripe")), response(token_revoked("linear"))

    assert (stripe.status_code, stripe.json()["error"]["code"]) == (401, "api_key_expired")
    extensions = linear.json()["errors"][0]["extensions"]
    assert (linear.status_code, extensions["code"]) == (401, "AUTHENTICATION_ERROR")
