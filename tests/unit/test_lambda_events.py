"""The events that AWS makes of HTTP requests."""

from __future__ import annotations

import base64
import hashlib
import json
import traceback
from urllib.parse import parse_qsl, quote

import pytest
from aws_lambda_powertools.utilities.data_classes import (
    ALBEvent,
    APIGatewayProxyEvent,
    APIGatewayProxyEventV2,
    EventBridgeEvent,
    LambdaFunctionUrlEvent,
    SNSEvent,
    SQSEvent,
)
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import ConfigurationError
from archal_lambda.core.events import http_body, http_header, message_of
from archal_lambda.testing import WebRequest, make_event, read_result

# What was sent to AWS in a capture of July 2026 (hotsock/voker, vokerhttp/testdata).
QUERY = (
    "repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb"
    "&literalPlus=a+b&encodedPlus=a%2Bb&empty="
)
BODY = '{"message":"hello","unicode":"lambda-λ"}'
CAPTURED = WebRequest(
    "POST",
    "/capture/space%20value",
    QUERY,
    (
        ("Host", "x.example.com"),
        ("User-Agent", "curl/8.7.1"),
        ("content-type", "application/json"),
        ("content-length", "66"),
        ("cookie", "session=abc123; theme=dark"),
        ("x-Probe", "first"),
        ("x-Probe", "second"),
    ),
    BODY.encode(),
    "68.8.83.18",
)
NOW = 1783711146.671
ID = "d16a6b55-dea9-4b23-8499-eb85c3d2d904"
DECODED = {
    "empty": "",
    "encodedPlus": "a+b",
    "literalPlus": "a b",
    "redirect": "https://example.com/a/b",
}
WAYS = ["function-url", "http-api", "rest-api", "alb", "alb-multi"]
READERS = {
    "function-url": LambdaFunctionUrlEvent,
    "http-api": APIGatewayProxyEventV2,
    "rest-api": APIGatewayProxyEvent,
    "alb": ALBEvent,
    "alb-multi": ALBEvent,
}


def captured(shape, **options):
    """The event of the captured request."""
    return make_event(CAPTURED, shape, now=NOW, request_id=ID, **options)


@pytest.mark.parametrize("shape", ["function-url", "http-api"])
def test_payload_two(shape):
    """The fields, and their order of values, are those of the capture."""
    event = captured(shape)

    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert event["rawQueryString"] == QUERY
    assert event["cookies"] == ["session=abc123", "theme=dark"]
    assert event["queryStringParameters"] == {**DECODED, "repeat": "one,two"}
    assert event["headers"]["x-probe"] == "first,second"
    assert event["headers"]["x-forwarded-for"] == "68.8.83.18"
    assert (event["body"], event["isBase64Encoded"]) == (BODY, False)
    context = event["requestContext"]
    assert (context["domainName"], context["domainPrefix"]) == ("x.example.com", "x")
    assert (context["requestId"], context["stage"]) == (ID, "$default")
    assert context["time"] == "10/Jul/2026:19:19:06 +0000"
    assert context["timeEpoch"] == 1783711146671
    assert context["http"] == {
        "method": "POST",
        "path": "/capture/space value",
        "protocol": "HTTP/1.1",
        "sourceIp": "68.8.83.18",
        "userAgent": "curl/8.7.1",
    }


def test_a_function_url_keeps_the_path_and_the_cookie_header():
    """An HTTP API decodes the one and takes out the other."""
    url, api = captured("function-url"), captured("http-api")

    assert url["rawPath"] == "/capture/space%20value"
    assert api["rawPath"] == "/capture/space value"
    assert url["headers"]["cookie"] == "session=abc123; theme=dark"
    assert "cookie" not in api["headers"]
    assert url["requestContext"]["accountId"] == "anonymous"
    assert api["requestContext"]["accountId"] == "123456789012"


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/capture/question%3Fvalue", "/capture/question"),
        ("/capture/hash%23value", "/capture/hash#value"),
        ("/capture/slash%2Fvalue", "/capture/slash/value"),
        ("/capture/unicode-%CE%BB", "/capture/unicode-λ"),
        ("/capture/literal%252Fvalue", "/capture/literal/value"),
        ("/capture/literal%253Fvalue", "/capture/literal?value"),
        ("/capture/literal%2525value", "/capture/literal%value"),
    ],
)
def test_an_http_api_decodes_the_path_twice(sent, seen):
    """As was seen of real ones."""
    assert make_event(WebRequest("GET", sent), "http-api")["rawPath"] == seen
    assert make_event(WebRequest("GET", sent))["rawPath"] == sent
    assert make_event(WebRequest("GET", sent), "rest-api")["path"] == sent


def test_what_is_not_there_is_left_out_of_payload_two():
    """Neither body nor cookies, query or parameters."""
    event = make_event(WebRequest("GET", "/"))

    assert event.keys() & {"body", "cookies", "queryStringParameters", "pathParameters"} == set()
    assert event["isBase64Encoded"] is False
    assert event["headers"]["host"].endswith(".lambda-url.us-east-1.on.aws")


def test_payload_one():
    """Both forms of headers and query, names as they were sent, and the stage in one of the paths only."""
    event = captured(
        "rest-api", route="/{proxy+}", path_parameters={"proxy": "capture/space%20value"}
    )

    assert (event["resource"], event["path"]) == ("/{proxy+}", "/capture/space%20value")
    assert event["pathParameters"] == {"proxy": "capture/space%20value"}
    assert event["headers"]["x-Probe"] == "second"
    assert event["multiValueHeaders"]["x-Probe"] == ["first", "second"]
    assert event["headers"]["User-Agent"] == "curl/8.7.1"
    assert "content-length" not in event["headers"]
    assert event["queryStringParameters"] == {**DECODED, "repeat": "two"}
    assert event["multiValueQueryStringParameters"]["repeat"] == ["one", "two"]
    assert event["requestContext"]["path"] == "/Prod/capture/space%20value"
    assert event["requestContext"]["identity"]["sourceIp"] == "68.8.83.18"
    assert event["requestContext"]["requestTimeEpoch"] == 1783711146671


def test_a_rest_api_says_null_of_what_is_not_there():
    event = make_event(WebRequest("GET", "/x"), "rest-api")

    nulls = {"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"}
    assert {name for name in nulls if event[name] is None} == nulls


def test_a_load_balancer_leaves_the_query_as_it_is():
    """With multi-value headers it gives lists, and without the last value."""
    single, multi = captured("alb"), captured("alb-multi")

    assert single["queryStringParameters"]["redirect"] == "https%3A%2F%2Fexample.com%2Fa%2Fb"
    assert multi["multiValueQueryStringParameters"] == {
        "empty": [""],
        "encodedPlus": ["a%2Bb"],
        "literalPlus": ["a+b"],
        "redirect": ["https%3A%2F%2Fexample.com%2Fa%2Fb"],
        "repeat": ["one", "two"],
    }
    assert single["headers"]["x-probe"] == "second"
    assert multi["multiValueHeaders"]["x-probe"] == ["first", "second"]
    assert not single.keys() & {"multiValueHeaders", "multiValueQueryStringParameters"}
    assert not multi.keys() & {"headers", "queryStringParameters"}
    assert single["path"] == "/capture/space%20value"


@pytest.mark.parametrize("shape", ["function-url", "http-api", "alb"])
@pytest.mark.parametrize(
    ("headers", "coded"),
    [
        ((("Content-Type", "application/json; charset=utf-8"),), False),
        ((("content-type", "text/csv"),), False),
        ((("content-type", "application/xml"),), False),
        ((("content-type", "application/x-www-form-urlencoded"),), True),
        ((("content-type", "application/octet-stream"),), True),
        ((), True),
        ((("content-type", "application/json"), ("content-encoding", "gzip")), True),
    ],
)
def test_the_type_decides_what_is_base64(shape, headers, coded):
    """Forms and bodies without a type are, which surprises many."""
    event = make_event(WebRequest("POST", "/", headers=headers, content=b"a=1"), shape)

    assert event["isBase64Encoded"] is coded
    assert event["body"] == (base64.b64encode(b"a=1").decode() if coded else "a=1")


def test_a_rest_api_passes_text_on_whatever_its_type():
    """As long as none of its types is declared as binary; what is not text can have come no other way."""
    assert make_event(WebRequest("POST", "/", content=b"a=1"), "rest-api")["body"] == "a=1"
    event = make_event(WebRequest("POST", "/", content=b"\xff"), "rest-api")
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)


@pytest.mark.parametrize(
    ("declared", "body", "coded"),
    [
        (["image/png"], "/w==", True),
        (["image/*"], "/w==", True),
        (["*/*"], "/w==", True),
        (["image/gif"], "\ufffd", False),
        ([], "\ufffd", False),
    ],
)
def test_the_binary_types_of_a_rest_api(declared, body, coded):
    """A body of another type is taken for text, and damaged where it is not."""
    request = WebRequest(
        "POST", "/", headers=(("Content-Type", "image/PNG; a=b"),), content=b"\xff"
    )
    event = make_event(request, "rest-api", binary_types=declared)
    assert (event["body"], event["isBase64Encoded"]) == (body, coded)


def test_a_record_of_a_queue():
    """The raw body, its digest, and the headers as attributes, without those of the connection."""
    (record,) = captured("sqs")["Records"]

    assert record["body"] == BODY
    assert record["md5OfBody"] == hashlib.md5(BODY.encode()).hexdigest()  # noqa: S324 - as SQS does
    assert record["messageAttributes"]["x-probe"]["stringValue"] == "first,second"
    assert not record["messageAttributes"].keys() & {"host", "content-length", "user-agent"}
    assert record["attributes"]["SentTimestamp"] == "1783711146671"
    assert (record["messageId"], record["eventSource"]) == (ID, "aws:sqs")


def test_a_record_of_a_topic():
    (record,) = captured("sns")["Records"]

    assert record["Sns"]["Message"] == BODY
    assert record["Sns"]["Timestamp"] == "2026-07-10T19:19:06.671Z"
    assert record["Sns"]["MessageAttributes"]["x-probe"] == {
        "Type": "String",
        "Value": "first,second",
    }


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        ((("X-GitHub-Event", "issues"),), {"action": "opened"}, "issues"),
        ((("Linear-Event", "Issue"),), {"type": "Issue"}, "Issue"),
        ((), {"type": "invoice.paid"}, "invoice.paid"),
        ((), {"type": 5}, "webhook"),
    ],
    ids=["GitHub", "Linear", "Stripe", "none"],
)
def test_an_event_of_a_bus(headers, body, kind):
    """Its type is what the service says that happened."""
    request = WebRequest("POST", "/", headers=headers, content=json.dumps(body).encode())
    event = make_event(request, "eventbridge", now=NOW, request_id=ID, source="my.app")

    assert (event["detail-type"], event["source"], event["detail"]) == (kind, "my.app", body)
    assert (event["id"], event["time"]) == (ID, "2026-07-10T19:19:06Z")


@pytest.mark.parametrize(
    ("shape", "content", "argument"),
    [
        ("sqs", b"\xff", "content"),
        ("sns", b"\xff", "content"),
        ("eventbridge", b"[1]", "content"),
        ("eventbridge", b"{", "content"),
        ("lambda-url", b"", "shape"),
    ],
)
def test_what_a_shape_cannot_hold_is_refused(shape, content, argument):
    """The error names the argument."""
    with pytest.raises(ConfigurationError, match=argument):
        make_event(WebRequest("POST", "/", content=content), shape)


def test_the_same_request_makes_the_same_event():
    """Neither clock nor chance is in it."""
    assert make_event(CAPTURED) == make_event(CAPTURED)


def test_a_request_shows_no_header_query_or_body():
    text = repr(CAPTURED)

    assert "abc123" not in text
    assert "redirect" not in text
    assert "hello" not in text


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"method": "get"}, "method"),
        ({"method": "GET\r\n"}, "method"),
        ({"path": "x"}, "path"),
        ({"path": "/a?b=c"}, "path"),
        ({"path": "/a b"}, "path"),
        ({"query": "a=b#c"}, "query"),
        ({"content": "{}"}, "content"),
        ({"headers": {"a": "b"}}, "headers"),
        ({"headers": (("a", 1),)}, "headers"),
        ({"headers": None}, "headers"),
    ],
    ids=str,
)
def test_a_bad_request_names_the_argument(arguments, name):
    with pytest.raises(ConfigurationError, match=f"^{name} must"):
        WebRequest(**{"method": "GET", "path": "/", **arguments})


@pytest.mark.parametrize(
    "refused",
    [
        lambda headers, body: make_event(WebRequest("POST", "/", "", headers, body), "sqs"),
        lambda headers, body: make_event(
            WebRequest("POST", "/", "", headers, b"[1]"), "eventbridge"
        ),
        lambda headers, body: WebRequest("POST", "?", "", headers, body),
        lambda headers, body: read_result({"headers": dict(headers)}, "none"),
    ],
)
def test_a_refusal_shows_no_secret_in_its_frames(refused):
    """Reporters that show local variables find none in the package's own."""
    secret = "sentinel-" + "d34db33f"
    headers = (("authorization", secret),)

    with pytest.raises(ConfigurationError) as caught:
        refused(headers, secret.encode() + b"\xff")

    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    own = [frame for frame in frames if "archal_lambda/" in frame.f_code.co_filename]
    assert own
    assert not [frame for frame in own if secret in repr(frame.f_locals)]


NAMES = st.from_regex(r"x-[a-z0-9-]{1,8}", fullmatch=True)
VALUES = st.from_regex(r"[!-+\--~]([ -+\--~]{0,6}[!-+\--~])?", fullmatch=True)
TYPES = st.sampled_from(["application/json", "text/plain", "application/octet-stream"])
PAIRS = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=4)
UTF8 = st.text().map(str.encode)


@given(st.sampled_from(WAYS), st.lists(st.tuples(NAMES, VALUES), max_size=4), TYPES, PAIRS, UTF8)
def test_what_was_sent_is_what_is_read(shape, headers, kind, pairs, content):
    """By this package, and by Powertools' classes."""
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    sent = (("content-type", kind), *headers)
    event = make_event(WebRequest("PUT", "/a/b", query, sent, content), shape)
    json.dumps(event)
    reader = READERS[shape](event)

    assert http_body(event) == content
    assert reader.http_method == "PUT"
    assert reader.path == "/a/b"
    if content:
        assert (reader.decoded_body or "").encode() == content
    for name, _ in headers:
        values = [value for other, value in headers if other == name]
        many = ",".join(values)
        assert http_header(event, name) == (values[-1] if shape in {"rest-api", "alb"} else many)
        assert reader.headers.get(name) or reader.resolved_headers_field[name] == values
    for name, _ in pairs:
        values = [
            value for other, value in parse_qsl(query, keep_blank_values=True) if other == name
        ]
        found = reader.resolved_query_string_parameters
        if not shape.startswith("alb"):
            assert ",".join(found[name]) == ",".join(values)


@given(st.sampled_from(WAYS), st.binary(max_size=40), TYPES)
def test_any_body_comes_back(shape, content, kind):
    """Text or not."""
    event = make_event(WebRequest("POST", "/", "", (("Content-Type", kind),), content), shape)
    assert http_body(event) == content


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(), max_size=3))
def test_a_message_comes_back(value):
    """From a queue, a topic and a bus, by this package and by Powertools."""
    request = WebRequest("POST", "/", content=json.dumps(value).encode())
    queued = next(SQSEvent(make_event(request, "sqs")).records)
    assert message_of(queued.body) == queued.json_body == value
    told = next(SNSEvent(make_event(request, "sns")).records)
    assert json.loads(told.sns.message) == value
    assert EventBridgeEvent(make_event(request, "eventbridge")).detail == value
