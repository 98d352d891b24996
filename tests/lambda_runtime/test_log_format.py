"""What the handlers print under Lambda's JSON log format, and for a tenant."""

from __future__ import annotations

import json

import pytest

HANDLERS = "archal_lambda.handlers."


@pytest.mark.parametrize("level", ["TRACE", "DEBUG", "INFO"])
def test_json_log_format_loses_and_doubles_nothing(emulate, archal, event, level):
    """Every line is one JSON object, calls and metrics are there once, and no level that can be chosen drops them."""
    settings = archal.environ | {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": level,
        "POWERTOOLS_LOG_LEVEL": "ERROR",  # Lambda's level comes first
    }
    emulator = emulate(f"{HANDLERS}create_repo.handler", settings)
    emulator.invoke(event("create_repo"))

    log = emulator.log(2)

    (call,) = (line for line in log if line.get("message") == "clone call")
    (metrics,) = (line for line in log if "_aws" in line)
    assert call["level"] == "INFO"
    assert metrics["CloneCalls"] == [1.0]
    # Lambda takes a line without a level for INFO.
    assert "level" not in metrics
    assert len(log) == 2


def test_an_error_that_nobody_catches_is_json_as_well(emulate, archal, event):
    """Lambda's own line has the error's type; with text, it would be none of Logs Insights' fields."""
    settings = archal.environ | {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "ARCHAL_TOKEN": "wrong",
    }
    emulator = emulate(f"{HANDLERS}session_lifecycle.handler", settings, timeout=60)
    emulator.invoke(event("session_lifecycle"))

    errors = [line for line in emulator.log(3) if line.get("errorType")]

    assert [error["errorType"] for error in errors] == ["AuthenticationError"]


def test_the_agent_logs_its_tenant_and_counts_without(drive, archal, event):
    """The lines of a tenant can be told apart; a metric has no dimension of it, and no line a tenant it has not."""
    api, runtime = drive(f"{HANDLERS}agent.handler", archal.environ)
    for tenant in ("blue", None):
        api.tenant_id = tenant
        assert api.invoke(event("agent"))[0].kind == "response"

    log = [json.loads(line) for line in runtime.output.splitlines() if line.startswith("{")]

    calls = [line for line in log if line.get("message") == "clone call"]
    assert [call.get("tenant_id") for call in calls] == ["blue", None]
    assert "tenant_id" not in calls[1]
    metrics = [line for line in log if "_aws" in line]
    assert len(metrics) == 2
    assert not [line for line in metrics if "blue" in json.dumps(line)]
