"""The hook for a tracer: one subsegment for each call, and nothing imported for it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from archal_lambda import Clones, ConnectError, Response
from archal_lambda.powertools import trace_calls
from archal_lambda.transports.mock import MockTransport

ENVIRON = {
    "AGENT_CLONE_URLS": '{"github": "https://clone.test/github/api"}',
    "ARCHAL_TOKEN": "route" + "-secret",
}
HANDLERS = ("agent", "create_repo", "scenario_worker", "session_lifecycle", "session_sweeper")


class Recorder:
    """A tracing provider, as far as Powertools' `BaseProvider` is used."""

    def __init__(self):
        self.subsegments = []

    @contextlib.contextmanager
    def in_subsegment(self, name=None, **kwargs):
        facts = {"name": name, "start": time.time()}
        subsegment = SimpleNamespace(
            put_annotation=lambda key, value: facts.update({key: value}),
            put_metadata=lambda key, value, namespace: facts.update({f"{namespace}.{key}": value}),
        )
        yield subsegment
        self.subsegments.append(facts | {"start": subsegment.start_time, "end": time.time()})


def test_each_call_is_a_subsegment():
    """Dated back to when the call began, with what happened and no secret."""

    def answer(request):
        time.sleep(0.02)
        if request.method == "DELETE":
            raise ConnectError("no")
        return Response(404)

    recorder = Recorder()
    hook = trace_calls(SimpleNamespace(provider=recorder))
    with Clones.from_env(ENVIRON, transport=MockTransport(answer), on_call=hook) as clones:
        clones["github"].get("/user?secret=1", token="service" + "-secret")
        with pytest.raises(ConnectError):
            clones["github"].delete("/user")

    got, failed = recorder.subsegments
    assert (got["name"], got["clone"]) == ("## github", "github")
    assert got["archal.call"] == {
        "method": "GET",
        "path": "/user",
        "status": 404,
        "error": None,
        "attempts": 1,
    }
    assert (failed["archal.call"]["status"], failed["archal.call"]["error"]) == (
        None,
        "ConnectError",
    )
    assert got["end"] - got["start"] >= 0.02
    assert "secret" not in repr(recorder.subsegments)


@pytest.mark.parametrize("handler", HANDLERS)
def test_no_handler_loads_a_tracer(handler):
    """It costs more than all else; who wants it asks for it."""
    code = f"import sys, archal_lambda.handlers.{handler}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert f"archal_lambda.handlers.{handler}" in loaded
    assert "aws_xray_sdk" not in loaded
