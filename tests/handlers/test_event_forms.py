"""HTTP events of every kind, answered in the form that each asks for, on the local Archal."""

from __future__ import annotations

import base64
import gzip
import json
import zlib

import pytest

from archal_lambda import DecodeError, Response
from archal_lambda.core.events import MAX_BODY_BYTES
from archal_lambda.handlers import create_repo
from archal_lambda.local import LocalArchal
from archal_lambda.powertools import json_result, pass_on, read_json
from archal_lambda.testing import LocalContext

BODY = '{"name": "made"}'
JSON = "application/json"
# The examples of AWS's documentation, cut to what is read: API Gateway "Lambda proxy integrations" (1.0 and 2.0),
# Elastic Load Balancing "Lambda functions as targets", VPC Lattice "Lambda functions as targets" (1.0 and 2.0).
REST_API = {
    "resource": "/repos",
    "path": "/repos",
    "httpMethod": "POST",
    "headers": {"Content-Type": JSON},
    "multiValueHeaders": {"Content-Type": [JSON]},
    "requestContext": {"apiId": "1234567890", "httpMethod": "POST"},
    "body": BODY,
    "isBase64Encoded": False,
}
HTTP_API = {
    "version": "2.0",
    "rawPath": "/repos",
    "headers": {"content-type": JSON},
    "requestContext": {"http": {"method": "POST", "path": "/repos"}},
    "body": BODY,
    "isBase64Encoded": False,
}
GROUP = "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-target-group/6d0ecf831eec9f09"
BALANCER = {
    "requestContext": {"elb": {"targetGroupArn": GROUP}},
    "httpMethod": "POST",
    "path": "/repos",
    "headers": {"content-type": JSON},
    "body": BODY,
    "isBase64Encoded": False,
}
MULTI_VALUE = {name: value for name, value in BALANCER.items() if name != "headers"} | {
    "multiValueHeaders": {"content-type": [JSON], "cookie": ["a=1", "b=2"]}
}
LATTICE_1 = {
    "raw_path": "/repos",
    "method": "POST",
    "headers": {"content-type": JSON},
    "query_string_parameters": {},
    "body": base64.b64encode(BODY.encode()).decode(),
    "is_base64_encoded": True,
}
LATTICE_2 = {
    "version": "2.0",
    "path": "/repos",
    "method": "POST",
    "headers": {"content-type": [JSON], "x-many": ["a", "b"]},
    "requestContext": {"serviceNetworkArn": "arn:aws:vpc-lattice:us-east-2:123456789012:service"},
    "body": BODY,
    "isBase64Encoded": False,
}
EVENTS = {
    "rest-api": REST_API,
    "http-api": HTTP_API,
    "balancer": BALANCER,
    "multi-value": MULTI_VALUE,
    "lattice-1": LATTICE_1,
    "lattice-2": LATTICE_2,
}
each_event = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        create_repo.clones.cache_clear()
        yield local
        create_repo.clones.cache_clear()


def coded(event, content, coding="gzip"):
    """Change an event to one with a coded body."""
    changed = event | {"body": base64.b64encode(content).decode()}
    flag = "is_base64_encoded" if "is_base64_encoded" in event else "isBase64Encoded"
    changed[flag] = True
    name = "headers" if "headers" in event else "multiValueHeaders"
    as_list = isinstance(event[name].get("content-type"), list)
    value = [coding] if as_list else coding
    return changed | {name: event[name] | {"Content-Encoding": value}}


@each_event
def test_every_kind_of_event_is_read_and_answered_in_its_form(archal, event):
    """The body is found, and the content type is where whoever asked looks for it."""
    result = create_repo.handler(event, LocalContext(timeout=5.0))

    assert json.loads(result["body"])["full_name"] == "testuser/made"
    form = {name: value for name, value in result.items() if name != "body"}
    expected = {"statusCode": 201, "isBase64Encoded": False}
    if "elb" in event.get("requestContext", {}):
        expected["statusDescription"] = "201 Created"
    if "headers" in event:
        expected["headers"] = {"content-type": JSON}
    else:
        expected["multiValueHeaders"] = {"content-type": [JSON]}
    assert form == expected


@each_event
def test_refusals_and_failures_have_the_form_as_well(archal, monkeypatch, event):
    """A bad body is 400, a wrong route 502, in the form that the event asks for."""
    fields = "headers" if "headers" in event else "multiValueHeaders"
    bad = create_repo.handler(event | {"body": "e30="}, LocalContext(timeout=5.0))
    monkeypatch.setenv("AGENT_ROUTE_HEADERS", '{"x-route-authorization": "Bearer wrong"}')
    create_repo.clones.cache_clear()
    failed = create_repo.handler(event, LocalContext(timeout=5.0))

    assert [bad["statusCode"], failed["statusCode"]] == [400, 502]
    assert fields in bad
    assert fields in failed


@each_event
@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("identity, gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip", lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:])),
        ("identity", bytes),
    ],
)
def test_a_coded_body_is_decoded(event, coding, encode):
    """The coding is undone after base64, whatever the case and place of the header."""
    given = coded(event, encode(BODY.encode()), coding)

    assert read_json(given, dict) == {"name": "made"}


@pytest.mark.parametrize(
    ("content", "coding", "reason"),
    [
        (gzip.compress(b"[" + b" " * MAX_BODY_BYTES), "gzip", "more than 6291456 bytes"),
        (b"".join([gzip.compress(b" " * (MAX_BODY_BYTES // 2 + 1))] * 2), "gzip", "more than 6291"),
        (gzip.compress(b"") * 200, "gzip", "more than 128 gzip streams"),
        (gzip.compress(b"{}")[:-3], "gzip", "incomplete"),
        (gzip.compress(b"{}") + b"more", "gzip", "does not match"),
        (b"{}", "gzip", "does not match"),
        (b"{}", "br", "other than gzip or deflate"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip", "other than gzip or deflate"),
        (b"", "gzip", "empty"),
    ],
)
def test_a_coded_body_that_cannot_be_decoded_is_a_decode_error(content, coding, reason):
    """Neither a bomb nor a broken stream is more than that."""
    with pytest.raises(DecodeError, match=reason):
        read_json(coded(HTTP_API, content, coding), dict)


@pytest.mark.parametrize(
    "headers", [None, [], "x", {"content-encoding": None}, {"Content-Encoding": [None, 7]}]
)
def test_headers_of_no_known_form_are_none(headers):
    """Whoever may invoke a function may send anything."""
    assert read_json({"body": "[]", "headers": headers}, list) == []


def test_a_status_without_a_name_has_a_description_all_the_same():
    """A load balancer wants one."""
    assert json_result(299, {}, event=BALANCER)["statusDescription"] == "299 Unknown"


@pytest.mark.parametrize("event", [None, [], "x", {"requestContext": None}, {"requestContext": []}])
def test_an_event_of_no_known_form_gets_the_common_one(event):
    """It is that of API Gateway and Function URLs."""
    assert json_result(200, [], event=event) == {
        "statusCode": 200,
        "headers": {"content-type": JSON},
        "body": "[]",
        "isBase64Encoded": False,
    }


LIMIT = 6_291_556
FRAME = len(json.dumps(pass_on(Response(200, headers={"content-type": "text/plain"}))))


def text(content, status=200):
    """Make a response of plain text."""
    return Response(status, headers={"content-type": "text/plain"}, content=content)


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        (b"a" * (LIMIT - FRAME), True),
        (b"a" * (LIMIT - FRAME + 1), False),
        (b'"' * ((LIMIT - FRAME) // 2), True),
        (b'"' * ((LIMIT - FRAME) // 2 + 1), False),
        (b"\xff" * 4_718_500, True),
        (b"\xff" * 5_000_000, False),
        (b"\0" * 1_048_000, True),
        (b"\0" * 1_049_000, False),
    ],
)
def test_what_lambda_would_refuse_for_its_size_is_502(content, fits):
    """The limit is that of the result as it is sent: base64 and escapes count."""
    result = pass_on(text(content, 201))

    assert (result["statusCode"] == 201) is fits
    assert len(json.dumps(result).encode()) <= LIMIT
    if not fits:
        assert result["statusCode"] == 502
        message = json.loads(result["body"])["message"]
        assert "status 201" in message
        assert "more than 6291556 bytes" in message


@pytest.mark.parametrize(
    ("runtime", "fits"),
    [
        ("AWS_Lambda_python3.11", False),
        ("AWS_Lambda_python3.13", True),
        ("AWS_Lambda_python3.14", True),
        ("", False),
    ],
)
def test_a_text_is_measured_as_the_runtime_encodes_it(monkeypatch, runtime, fits):
    """From Python 3.12 on it is not escaped to ASCII."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", runtime)

    assert (pass_on(text("中".encode() * 2_000_000))["statusCode"] == 200) is fits
    assert pass_on(text("\u2028".encode() * 2_000_000))["statusCode"] == 502


def test_a_load_balancer_takes_one_megabyte():
    """More would be a 502 of its own, without a reason."""
    assert pass_on(text(b"a" * 1_048_000), event=BALANCER)["statusCode"] == 200
    result = pass_on(text(b"a" * 1_048_577), event=MULTI_VALUE)
    assert (result["statusCode"], result["statusDescription"]) == (502, "502 Bad Gateway")
    assert result["multiValueHeaders"] == {"content-type": [JSON]}


def test_json_of_ones_own_has_the_same_limit():
    """Quotes in texts are escaped twice."""
    result = json_result(200, {"text": '"' * 2_000_000})

    assert result["statusCode"] == 502
