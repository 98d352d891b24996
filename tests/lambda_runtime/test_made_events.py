"""Events that this package makes, handled on AWS's emulator and runtime client, and the results read."""

from __future__ import annotations

import json

import pytest

from archal_lambda.testing import WebRequest, make_event, read_result

TYPE = (("Content-Type", "application/json"),)


def test_each_way_by_http(emulate, archal):
    """The function does its work and answers in the form of its event, whatever the body's coding."""
    emulator = emulate("archal_lambda.handlers.create_repo.handler", archal.environ)
    for shape in ("function-url", "http-api", "rest-api", "alb", "alb-multi"):
        for headers in (TYPE, ()):
            name = f"by-{shape}-{len(headers)}"
            body = json.dumps({"name": name}).encode()
            event = make_event(WebRequest("POST", "/repos", headers=headers, content=body), shape)

            response = read_result(emulator.invoke(event).json, shape)

            assert response.status_code == 201, shape
            assert ("content-type", "application/json") in response.headers
            assert json.loads(response.content)["full_name"] == f"testuser/{name}"


@pytest.mark.parametrize(("expected", "status"), [(200, 200), (418, 500)])
def test_a_record_of_a_queue(emulate, archal, expected, status):
    """It is done, or goes back to the queue."""
    scenario = {"name": "s", "steps": [{"clone": "github", "path": "/user", "expect": expected}]}
    event = make_event(WebRequest("POST", "/", content=json.dumps(scenario).encode()), "sqs")
    emulator = emulate("archal_lambda.handlers.scenario_worker.handler", archal.environ, timeout=30)

    assert read_result(emulator.invoke(event).json, "sqs").status_code == status
