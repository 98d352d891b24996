"""Who turned a call down, judged from the whole of a response."""

from __future__ import annotations

import pickle

import pytest
from support.fakes import repickled

from archal_lambda import Request, Response, errors
from archal_lambda.local.server.app import ApiError, envelope, unauthorized

KEY = "sk_" + "test_****"
# As the services' own documentation, and what they were seen to send, has them.
SERVICES = [
    ("Supabase Storage", 404, {"statusCode": "404", "error": "not_found", "message": "Object not found"}),
    ("Supabase Storage", 400, {"statusCode": "404", "error": "not_found", "message": "m", "code": "NoSuchKey"}),
    ("Supabase Storage", 403, {"statusCode": "403", "error": "Unauthorized", "message": "violates a policy"}),
    ("Supabase Auth", 404, {"code": "user_not_found", "message": "User not found"}),
    ("Supabase Auth", 403, {"code": 403, "error_code": "bad_jwt", "msg": "invalid JWT"}),
    ("Supabase gateway", 401, {"message": "No API key found in request", "hint": "No `apikey` header"}),
    ("Supabase gateway", 401, {"message": "Invalid authentication credentials"}),
    ("Supabase functions", 404, {"code": "NOT_FOUND", "message": "Requested function was not found"}),
    ("PostgREST", 401, {"code": "PGRST301", "details": None, "hint": None, "message": "JWT expired"}),
    ("GitLab", 404, {"error": "404 Not Found"}),
    ("GitLab", 401, {"message": "401 Unauthorized"}),
    ("GitLab", 403, {"message": "403 Forbidden"}),
    ("GitLab", 403, {"error": "insufficient_scope", "error_description": "The request requires more.", "scope": "api"}),
    ("GitLab", 401, {"error": "invalid_token", "error_description": "Token is expired."}),
    ("OAuth", 401, {"error": "invalid_client"}),
    ("OAuth", 403, {"error": "access_denied", "message": "m"}),
    ("OAuth", 401, {"error": "invalid_token", "code": "expired", "message": "m"}),
    ("hapi", 400, {"statusCode": 400, "error": "Bad Request", "message": "Invalid request payload input"}),
    ("hapi", 401, {"statusCode": 401, "error": "Unauthorized", "message": "Missing authentication"}),
    ("NestJS", 403, {"message": "Forbidden resource", "error": "Forbidden", "statusCode": 403}),
    ("Spring", 404, {"timestamp": "2026-01-02T03:04:05Z", "status": 404, "error": "Not Found", "path": "/x"}),
    ("Spring", 401, {"status": 401, "error": "unauthorized", "message": "m"}),
    ("a framework", 502, {"error": "Server Error"}),
    ("a framework", 401, {"error": "Unauthorized", "message": "Token is not valid"}),
    ("a framework", 404, {"error": "not_found", "message": "There is nothing"}),
    ("GitHub", 401, {"message": "Bad credentials", "documentation_url": "https://docs", "status": "401"}),
    ("GitHub", 401, {"message": "Bad credentials"}),
    ("GitHub", 403, {"message": "Resource not accessible by integration", "documentation_url": "u", "status": "403"}),
    ("GitHub", 422, {"message": "Validation Failed", "errors": [{"field": "title", "code": "missing_field"}]}),
    ("Slack", 401, {"ok": False, "error": "not_authed"}),
    ("Slack", 403, {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "read"}),
    ("Stripe", 401, {"error": {"message": f"Invalid API Key provided: {KEY}", "type": "invalid_request_error"}}),
    ("Stripe Connect", 400, {"error": "invalid_grant", "error_description": "Authorization code expired"}),
    ("Jira", 401, {"errorMessages": ["You are not authenticated."], "errors": {}}),
    ("Jira", 401, {"message": "Client must be authenticated to access this resource.", "status-code": 401}),
    ("Atlassian's gateway", 401, {"code": 401, "message": "Unauthorized; scope does not match"}),
    ("Linear", 401, {"errors": [{"message": "Authentication required", "extensions": {"code": "AUTH"}}]}),
    ("Discord", 401, {"message": "401: Unauthorized", "code": 0}),
    ("Discord", 429, {"message": "You are being rate limited.", "retry_after": 0.3, "global": False}),
    ("Google", 403, {"error": {"code": 403, "message": "m", "errors": [], "status": "PERMISSION_DENIED"}}),
    ("Google OAuth", 401, {"error": "unauthorized_client", "error_description": "Unauthorized"}),
    ("Sentry", 401, {"detail": "Invalid token"}),
    ("Sentry", 403, {"detail": "You do not have permission to perform this action."}),
    ("Sentry", 401, {"detail": {"code": "sso-required", "message": "Must login via SSO", "extra": {}}}),
    ("Django", 401, {"detail": "User not found", "code": "user_not_found"}),
    ("Webflow", 404, {"message": "m", "code": "not_found", "externalReference": None, "details": []}),
    ("ClickUp", 401, {"err": "Token invalid", "ECODE": "OAUTH_025"}),
    ("Datadog", 403, {"errors": ["Forbidden"]}),
    ("Tavily", 401, {"detail": {"error": "Unauthorized: missing or invalid API key."}}),
    ("problem details", 403, {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "m"}),
]  # fmt: skip

GET = Request("GET", "/x")
WITH_TOKEN = Request("GET", "/x", token="t")


@pytest.mark.parametrize("request_", [None, GET, WITH_TOKEN], ids=["unknown", "bare", "token"])
@pytest.mark.parametrize(("name", "status", "body"), SERVICES)
def test_no_service_is_taken_for_the_route(name, status, body, request_):
    """Whatever is known of the request; None is as good where the shape does not tell."""
    response = Response(status, json=body, request=request_)
    assert response.rejected_by in {"clone", None}, name
    with pytest.raises(errors.StatusError) as caught:
        response.raise_for_status()
    assert not isinstance(caught.value, errors.RouteRejectedError)


ARCHALS = [
    ("route", 401, {"error": "unauthorized", "message": "Missing route authorization"}),
    ("route", 401, {"error": "unauthorized", "message": "m", "requestId": "r"}),
    ("route", 403, {"error": "forbidden", "code": "wrong_user", "message": "m", "detail": "d"}),
    ("route", 403, {"error": "forbidden", "code": "wrong_user", "message": "m", "requestId": "r"}),
    ("route", 403, {"error": "Forbidden", "code": "workspace_key_scope_mismatch", "message": "m"}),
    ("route", 403, {"error": "unauthorized", "code": "bad_route"}),
    ("route", 404, {"error": "not_found", "code": "session_ended", "message": "m"}),
    ("route", 404, {"error": "session_ended", "detail": "d", "sessionId": "ses-1"}),
    ("route", 404, {"message": "No such hosted session at Archal"}),
    ("route", 502, {"error": "bad_gateway", "code": "clone_failed", "message": "m"}),
    ("route", 503, {"error": "service_unavailable", "code": "session_starting", "message": "m"}),
    ("route", 401, {"detail": "x-route-authorization is missing"}),
    (None, 401, {"error": "unauthorized", "code": "token_expired", "message": "401: expired"}),
    (None, 403, {"error": "forbidden", "code": "wrong_user", "message": "m", "detail": None}),
    (None, 403, {"error": "forbidden", "message": "m", "hint": "log in again"}),
    (None, 404, {"error": "not_found", "code": "session_ended", "message": "m", "title": "Ended"}),
    (None, 404, {"message": "No such hosted session at Archal", "statusCode": 404}),
    (None, 500, {"error": "internal", "code": "internal", "message": "m", "errors": []}),
    (None, 401, {"message": "m"}),
    (None, 401, {"detail": "d"}),
    (None, 401, {"code": "unauthorized", "detail": "d"}),
    (None, 404, {"error": "not_found", "code": "gone", "message": "m", "requestId": "r"}),
    (None, 404, {"error": "not_found"}),
    (None, 500, {"error": "internal", "code": "internal", "message": "m"}),
    (None, 401, {}),
]


@pytest.mark.parametrize("request_", [None, GET, WITH_TOKEN], ids=["unknown", "bare", "token"])
@pytest.mark.parametrize(("by", "status", "body"), ARCHALS)
def test_no_envelope_of_archals_is_taken_for_a_clones(by, status, body, request_):
    """All its fields are optional strings, and further ones are allowed."""
    assert Response(status, json=body, request=request_).rejected_by == by


@pytest.mark.parametrize(
    "error",
    [
        unauthorized("x-route-authorization"),
        ApiError(403, "forbidden", "the session belongs to another user"),
        ApiError(404, "session_not_found", "the session does not exist"),
        ApiError(413, "payload_too_large", "request bodies are limited"),
        ApiError(502, "clone_failed", "the github clone did not answer"),
        ApiError(503, "session_starting", "the session is starting"),
    ],
    ids=lambda error: error.code,
)
def test_what_the_stand_in_refuses_is_the_routes(error):
    sent = envelope(error)
    headers = [(name.decode(), value.decode()) for name, value in sent.raw_headers]
    response = Response(error.status, headers=headers, content=bytes(sent.body), request=GET)
    assert response.rejected_by == "route"


@pytest.mark.parametrize(
    "key", ["hint", "title", "instance", "errors", "category", "ok", "statusCode", "exception"]
)
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_key_of_a_service_beside_archals_envelope_is_doubt(key, status):
    """Both have signs of their own, and neither is more than the other."""
    body = {"error": "not_allowed", "code": "wrong_session", "message": "m", key: "x"}
    assert Response(status, json=body).rejected_by is None
    assert Response(status, json={"message": "m", key: "x"}).rejected_by == "clone"
    assert Response(status, json=body, headers={"x-github-request-id": "1"}).rejected_by == "clone"


MARK = b"told-once"
OWN = {"error": "unauthorized", "code": "expired", "message": "m"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"detail": "Project archal-demo not found"}),
        (429, {"error": "x", "message": "channel archal-ci is busy"}),
        (404, {"message": "no user my-archal"}),
        (404, {"message": "no file archal.txt"}),
    ],
)
def test_a_thing_that_is_named_after_archal_is_not_archal(status, body):
    assert Response(status, json=body).rejected_by is None


@pytest.mark.parametrize(
    "words", ["the Archal token is expired", "Sign in to Archal.", "Archal: no such session"]
)
def test_words_that_name_archal_are_the_routes(words):
    assert Response(401, json={"message": words}).rejected_by == "route"


@pytest.mark.parametrize(
    ("by", "name", "value"),
    [
        ("clone", "X-GitHub-Request-Id", "1"),
        ("clone", "x-slack-req-id", "1"),
        ("clone", "X-OAuth-Scopes", "repo"),
        ("clone", "Stripe-Version", "2026-01-01"),
        ("clone", "Request-Id", "req_abc123"),
        ("clone", "sb-request-id", "1"),
        ("clone", "X-Sentry-Rate-Limit-Limit", "1"),
        ("clone", "X-RateLimit-Bucket", "1"),
        ("clone", "WWW-Authenticate", 'Basic realm="GitHub"'),
        ("clone", "WWW-Authenticate", "Bearer realm=api"),
        (None, "WWW-Authenticate", "Bearer"),
        ("route", "WWW-Authenticate", 'Bearer realm="archal"'),
        ("route", "X-Archal-Request-Id", "1"),
        ("route", "X-Request-Id", "1"),
        ("route", "Request-Id", "1"),
        ("route", "Server-Timing", "total;dur=1"),
        ("route", "X-RateLimit-Remaining", "1"),
    ],
)
def test_headers_that_only_one_side_sends_count_more_than_the_body(by, name, value):
    """What both send, such as a request id, says nothing."""
    assert Response(401, headers={name: value}, json=OWN).rejected_by == by


@pytest.mark.parametrize(
    ("by", "body", "headers"),
    [
        ("clone", b"<html>", {"x-github-request-id": "1"}),
        ("clone", b"", {"x-slack-req-id": "1"}),
        (None, b"<html>", {"www-authenticate": 'Bearer realm="archal"'}),
        ("route", b'{"message": "m"}', {"www-authenticate": 'Bearer realm="archal"'}),
        ("route", b'{"detail": "d"}', {"x-archal-trace": "1"}),
        (None, b'{"message": "m", "status": "x"}', {"x-archal-trace": "1"}),
    ],
)
def test_a_header_helps_a_body_that_does_not_tell(by, body, headers):
    """The route's needs an envelope all the same."""
    assert Response(401, headers=headers, content=body).rejected_by == by


@pytest.mark.parametrize(("request_", "by"), [(None, "route"), (WITH_TOKEN, "route"), (GET, None)])
def test_a_401_without_a_service_credential_may_be_the_clones(request_, by):
    """A clone lets in whoever brings any credential; this is known after pickling and at the end of a call too."""
    response = Response(401, json={"error": "expired", "message": "m"}, request=request_)
    facts = {"attempts": 2, "elapsed": 1.0, "maybe_processed": False}
    for one in (response, repickled(response), response.concluded(**facts)):
        assert one.rejected_by == by


def test_an_authorization_header_is_a_service_credential_too():
    request = Request("GET", "/x", headers={"Authorization": "Bot t"})
    assert (
        Response(401, json={"error": "expired", "message": "m"}, request=request).rejected_by
        == "route"
    )


def test_an_envelope_is_looked_for_in_64_kilobytes():
    """A body above that is not one: neither a refusal, nor a code or message, is read from it."""
    body = {"error": "unauthorized", "code": "c", "message": "m"}
    fitting = Response(401, json=body | {"pad": "x" * 60_000})
    larger = Response(401, json=body | {"pad": "x" * 70_000})
    assert (fitting.rejected_by, fitting.error_field("code")) == ("route", "c")
    assert (larger.rejected_by, larger.error_field("code"), larger.error_message) == (
        None,
        None,
        "",
    )


def test_the_envelope_is_decoded_once(monkeypatch):
    """Judging, naming the error and renewing all look into it."""
    from archal_lambda.core import error_bodies  # noqa: PLC0415 - to count

    seen = []
    decode = error_bodies.decode_plain
    monkeypatch.setattr(
        error_bodies, "decode_plain", lambda content: seen.append(1) or decode(content)
    )
    response = Response(401, json=OWN | {"message": MARK.decode()})
    for _ in range(3):
        assert response.rejected_by == "route"
        with pytest.raises(errors.RouteRejectedError):
            response.raise_for_status()
    assert len(seen) == 1
    assert MARK not in pickle.dumps(response).replace(response.content, b"")
