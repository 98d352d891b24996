"""The HTTP responses that AWS makes of a function's results."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import ConfigurationError
from archal_lambda.lambda_events.results import late_response
from archal_lambda.lambda_events.values import SHAPES
from archal_lambda.testing import WebResponse, read_result

JSON = ("content-type", "application/json")
HTTP = ["function-url", "http-api", "rest-api", "alb", "alb-multi"]
FAILED = {"function-url": 502, "http-api": 500, "rest-api": 502, "alb": 502, "alb-multi": 502}


@pytest.mark.parametrize("shape", ["function-url", "http-api"])
@pytest.mark.parametrize(
    ("result", "content"),
    [
        ({"hello": "wörld"}, '{"hello":"wörld"}'.encode()),
        ("Hello", b"Hello"),
        ([1, 2], b"[1,2]"),
        (None, b"null"),
        (5, b"5"),
        ({"total": Decimal("1.5")}, b'{"total":1.5}'),
        ({"headers": {"a": "b"}}, b'{"headers":{"a":"b"}}'),
    ],
)
def test_a_bare_value_is_a_200(shape, result, content):
    """Payload 2.0 takes it for the body."""
    assert read_result(result, shape) == WebResponse(200, (JSON,), content)


@pytest.mark.parametrize("shape", HTTP)
def test_a_whole_result(shape):
    """Status, headers and body, base64 undone."""
    field = "multiValueHeaders" if shape == "alb-multi" else "headers"
    value = ["image/png"] if shape == "alb-multi" else "image/png"
    result = {"statusCode": 201, field: {"Content-Type": value}, "body": "/w=="}

    coded = read_result({**result, "isBase64Encoded": True}, shape)

    assert coded == WebResponse(201, (("content-type", "image/png"),), b"\xff")
    assert read_result({**result, "isBase64Encoded": False}, shape).content == b"/w=="


@pytest.mark.parametrize("shape", ["function-url", "http-api"])
def test_cookies_become_headers(shape):
    """Each of them one; a tuple is a list by then."""
    result = {"statusCode": 204, "headers": {"X": True, "Y": None}, "cookies": ("a=1", "b=2")}

    response = read_result(result, shape)

    assert response.headers[1:] == (("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x", "true"))


def test_a_rest_api_merges_both_kinds_of_headers():
    """The same pair in both is one."""
    result = {
        "statusCode": 200,
        "headers": {"A": "1", "B": "2", "Content-Type": "text/plain"},
        "multiValueHeaders": {"A": ["1", "3"]},
    }

    assert read_result(result, "rest-api").headers == (
        ("a", "1"),
        ("a", "3"),
        ("b", "2"),
        ("content-type", "text/plain"),
    )


def test_a_load_balancer_reads_one_kind_of_headers():
    """The other kind is lost, its type with it."""
    result = {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "multiValueHeaders": {"content-type": ["text/html"], "set-cookie": ["a=1", "b=2"]},
    }

    assert read_result(result, "alb").headers == (("content-type", "text/plain"),)
    assert read_result(result, "alb-multi").headers == (
        ("content-type", "text/html"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    )
    del result["multiValueHeaders"]
    assert read_result(result, "alb-multi").headers == (
        ("content-type", "application/octet-stream"),
    )


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("function-url", "application/json"),
        ("http-api", "text/plain;charset=UTF-8"),
        ("rest-api", "application/json"),
        ("alb", "application/octet-stream"),
    ],
)
def test_the_type_of_a_result_that_names_none(shape, kind):
    response = read_result({"statusCode": 200, "body": "x"}, shape)
    assert response.headers == (("content-type", kind),)


@pytest.mark.parametrize("shape", HTTP)
@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "abc"},
        {"statusCode": True},
        {"statusCode": 99},
        {"statusCode": 1000},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
        {"statusCode": 200, "body": "\ud800"},
        {"statusCode": 200, "body": object()},
        {"statusCode": 200, "headers": {"a": "1\r\nb: 2"}, "multiValueHeaders": {"a": ["\n"]}},
        {"statusCode": 200, "headers": {"a b": "1"}, "multiValueHeaders": {"a b": ["1"]}},
        {"statusCode": 200, "headers": {"a": [1]}, "multiValueHeaders": {"a": "1"}},
        {"statusCode": 200, "headers": ["a"], "multiValueHeaders": ["a"]},
        {1, 2},
    ],
    ids=str,
)
def test_a_malformed_result(shape, result):
    """It becomes the error that AWS gives, and nothing of it is shown."""
    response = read_result(result, shape)
    assert response.status_code == FAILED[shape]
    assert b"nternal" in response.content or b"Bad Gateway" in response.content


@pytest.mark.parametrize("result", [None, "text", [], {"hello": 1}, {"cookies": [], "body": "x"}])
@pytest.mark.parametrize("shape", ["rest-api", "alb", "alb-multi"])
def test_only_payload_two_infers(shape, result):
    assert read_result(result, shape).status_code == 502


def test_what_a_rest_api_tolerates():
    """No status, a status as text, and the older name of a field."""
    assert read_result({"body": "x"}, "rest-api").status_code == 200
    assert read_result({"statusCode": "201"}, "rest-api").status_code == 201
    coded = {"statusCode": 200, "body": "/w==", "base64Encoded": True}
    assert read_result(coded, "rest-api").content == b"\xff"
    assert read_result({"statusCode": "201"}, "alb").status_code == 502


def test_base64_that_a_rest_api_passes_on():
    """Where no declared type is asked for, the caller gets the text."""
    coded = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    assert read_result(coded, "rest-api", binary=False).content == b"/w=="
    assert read_result(coded, "http-api", binary=False).content == b"\xff"


def test_the_framing_is_not_the_functions():
    """What it says of length and connection is dropped."""
    headers = {"Content-Length": "9", "Transfer-Encoding": "chunked", "Connection": "close"}
    response = read_result({"statusCode": 200, "headers": headers, "body": "x"})
    assert response.headers == (JSON,)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (None, 200),
        ({}, 200),
        ({"batchItemFailures": []}, 200),
        ({"batchItemFailures": None}, 200),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, 500),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, 500),
    ],
)
def test_a_record_that_goes_back_to_the_queue_is_a_500(result, status):
    assert read_result(result, "sqs").status_code == status


@pytest.mark.parametrize("shape", ["sns", "eventbridge"])
def test_nobody_sees_the_result_of_what_was_put_somewhere(shape):
    assert read_result({"statusCode": 400}, shape) == WebResponse(202)


def test_a_late_function():
    """A Function URL has no time of its own; the APIs have."""
    found = {shape: late_response(shape).status_code for shape in HTTP}
    assert found == {**FAILED, "http-api": 503, "rest-api": 504}


def test_an_unknown_shape_is_refused():
    with pytest.raises(ConfigurationError, match="shape must be one of function-url"):
        read_result({}, "lambda-url")


def test_a_response_shows_no_header_and_no_body():
    assert repr(WebResponse(200, (("set-cookie", "secret"),), b"hidden")) == (
        "WebResponse(200, 6 bytes)"
    )


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "statusCode": JSONS | st.integers(200, 599),
        "headers": JSONS | st.dictionaries(st.text(), JSONS),
        "multiValueHeaders": JSONS | st.dictionaries(st.text(), st.lists(JSONS)),
        "body": JSONS,
        "cookies": JSONS,
        "isBase64Encoded": JSONS,
    },
)


@given(st.sampled_from(SHAPES), JSONS | FIELDS)
def test_every_result_makes_a_response(shape, result):
    """One that can be sent."""
    response = read_result(result, shape)
    assert 200 <= response.status_code <= 599
    for name, value in response.headers:
        assert name.isascii()
        assert not set(value) & {"\r", "\n", "\0"}
        value.encode()
