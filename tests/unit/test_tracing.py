"""Traces are carried on where that is asked for."""

from __future__ import annotations

import pytest

from archal_lambda import Clones, Response, Settings, tracing
from archal_lambda.transports.mock import MockTransport

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
LAMBDAS = f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent={SPAN};Sampled=1;Lineage=a87bd80c:0|5"


def sent(trace, **options):
    mock = MockTransport(lambda request: Response(200))
    settings = Settings(clone_urls={"svc": "https://clone.test/api"}, token="t")
    Clones(settings, transport=mock, trace=trace)["svc"].get("/x", **options)
    return mock.requests[0].headers


@pytest.mark.parametrize(
    ("value", "xray", "traceparent"),
    [
        (LAMBDAS, LAMBDAS, f"00-{TRACE}-{SPAN}-01"),
        (LAMBDAS.replace("Sampled=1", "Sampled=0"), None, f"00-{TRACE}-{SPAN}-00"),
        (f"Parent={SPAN};Root=1-{TRACE[:8]}-{TRACE[8:]}", None, f"00-{TRACE}-{SPAN}-00"),
        (f"Root=1-{TRACE[:8]}-{TRACE[8:]}", None, ""),
        ("Root=1-5759e988-short;Parent=x", "", ""),
        (f"Root=1-{TRACE[:8]}-{TRACE[8:]}99;Parent={SPAN}", "", ""),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_the_trace_of_the_invocation_is_carried_on(monkeypatch, value, xray, traceparent):
    """X-Ray's header goes on unchanged, and W3C's is made of it. Without a trace there is none."""
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    if value is not None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", value)

    assert sent(tracing.w3c).get("traceparent", "") == traceparent
    assert sent(tracing.xray).get("x-amzn-trace-id", "") == (value if xray is None else xray)


def test_no_trace_is_sent_unless_asked_for(monkeypatch):
    """A trace is the caller's own business."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", LAMBDAS)

    assert not {"traceparent", "x-amzn-trace-id"} & {name.lower() for name in sent(None)}


def test_the_calls_own_header_wins():
    """It is sent once."""
    headers = sent(lambda: {"traceparent": "theirs", "b": "2"}, headers={"Traceparent": "mine"})

    assert headers.get_all("traceparent") == ["mine"]
    assert headers["b"] == "2"


@pytest.mark.parametrize("name", ["x-route-authorization", "Host", "a b"])
def test_a_trace_may_only_use_headers_that_a_caller_may_give(name, caplog):
    """The call goes on without any of them, and the log says so."""
    headers = sent(lambda: {"traceparent": "theirs", name: "theirs"})

    assert "theirs" not in dict(headers.pairs).values()
    assert "the trace hook failed: ValueError in check_header" in caplog.text
