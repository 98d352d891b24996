"""A model that calls tools: Bedrock's shape, the official MCP server, and every way for it to end."""

from __future__ import annotations

import sys
import types

import pytest
from support import mcp_server
from support.mcp_mock import mcp_of

from archal_lambda import Clones, Deadline, DecodeError, Response, RouteRejectedError, Settings
from archal_lambda.handlers import mcp_agent
from archal_lambda.testing import LocalContext


@pytest.fixture(scope="module")
def peer():
    with mcp_server.running() as peer:
        yield peer


@pytest.fixture
def mcp(peer):
    settings = Settings(clone_urls={"github": f"{peer.origin}/api"}, token="t")
    with Clones(settings) as clones:
        yield clones["github"].mcp


class Model:
    """Plays the turns of a model; remembers what it was asked."""

    def __init__(self, *turns):
        self.turns = list(turns)
        self.asked = []

    def __call__(self, **request):
        self.asked.append({name: list(value) for name, value in request.items()})
        content = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        return {"output": {"message": {"role": "assistant", "content": content}}}


def use(name, arguments, number="1"):
    return {"toolUse": {"toolUseId": number, "name": name, "input": arguments}}


def test_tools_are_called_until_there_is_an_answer(mcp):
    model = Model(
        [{"text": "Adding."}, use("add", {"a": 1, "b": 2})], [{"text": "3"}, {"text": "!"}]
    )
    assert mcp_agent.answer("add", mcp, model, Deadline.after(60)) == "3\n!"
    _task, turn, results = model.asked[1]["messages"]
    assert turn["content"][0] == {"text": "Adding."}
    (result,) = results["content"]
    assert result["toolResult"]["toolUseId"] == "1"
    assert result["toolResult"]["status"] == "success"
    assert '"total": 3' in result["toolResult"]["content"][0]["text"]


def test_the_model_is_told_of_the_tools_as_converse_takes_them(mcp):
    model = Model([{"text": "none"}])
    mcp_agent.answer("x", mcp, model, Deadline.after(60))
    assert model.asked[0]["toolConfig"] == ["tools"]


def test_what_goes_wrong_with_a_tool_is_for_the_model_to_read(mcp):
    uses = [use("fail", {}), use("nothing", {}, "2")]
    model = Model(uses, [{"text": "sorry"}])
    assert mcp_agent.answer("x", mcp, model, Deadline.after(60)) == "sorry"
    results = model.asked[1]["messages"][-1]["content"]
    assert [one["toolResult"]["status"] for one in results] == ["error", "error"]
    assert [one["toolResult"]["toolUseId"] for one in results] == ["1", "2"]


def test_a_model_without_an_end_is_stopped(mcp):
    with pytest.raises(mcp_agent.AgentError, match="after 20 turns"):
        mcp_agent.answer("x", mcp, Model([use("add", {"a": 1, "b": 1})]), Deadline.after(60))


def test_no_turn_begins_without_time(mcp):
    model = Model([{"text": "late"}])
    with pytest.raises(mcp_agent.AgentError, match="no time"):
        mcp_agent.answer("x", mcp, model, Deadline.after(4.0))
    assert not model.asked


def test_the_handler_returns_the_text_and_its_calls(peer, monkeypatch):
    monkeypatch.setenv("AGENT_CLONE_URLS", f'{{"github": "{peer.origin}/api"}}')
    monkeypatch.setenv("AGENT_ROUTE_HEADERS", '{"x-route-authorization": "Bearer t"}')
    monkeypatch.setattr(
        mcp_agent,
        "bedrock",
        lambda *_: Model([use("add", {"a": 1, "b": 2})], [{"text": "3"}]),
    )
    result = mcp_agent.handler({"task": "add"}, LocalContext())
    assert result["text"] == "3"
    assert result["calls"] == [
        {"operation": "tools/list", "status": 200},
        {"operation": "tools/call add", "status": 200},
    ]


def test_an_event_without_a_task_is_refused():
    with pytest.raises(DecodeError, match="task"):
        mcp_agent.handler({}, LocalContext())


def test_bedrock_is_asked_for_the_model_under_the_time_that_is_left(monkeypatch):
    made = []

    class Client:
        def converse(self, **request):
            return request

    fake = types.ModuleType("boto3")
    fake.client = lambda name, config: made.append((name, config)) or Client()
    monkeypatch.setitem(sys.modules, "boto3", fake)
    converse = mcp_agent.bedrock("model-1", Deadline.after(30.0))
    assert converse(messages=[]) == {"modelId": "model-1", "messages": []}
    ((name, config),) = made
    assert name == "bedrock-runtime"
    assert 25 < config.read_timeout <= 30
    assert config.retries == {"total_max_attempts": 1}


@pytest.mark.parametrize(
    "asked",
    [
        use("add", "text"),
        use("add", ["a"]),
        use("add", {"a": "\ud800"}),
        use("", {}),
        use(5, {}),
        {"toolUse": {"toolUseId": "1", "name": "add"}},
        use("add", {"a": float("nan"), "b": 1}),
    ],
)
def test_a_call_that_cannot_be_made_is_the_models_to_mend(mcp, asked):
    model = Model([asked], [{"text": "sorry"}])
    assert mcp_agent.answer("x", mcp, model, Deadline.after(60)) == "sorry"
    result = model.asked[1]["messages"][-1]["content"][0]["toolResult"]
    assert result["status"] == "error"
    assert result["content"][0]["text"]


def test_a_server_that_fails_is_told_and_a_route_that_refuses_is_raised():
    def failing(status, body):
        def answer(message, _request):
            if message["method"] == "tools/list":
                return {"tools": [{"name": "run"}]}
            return Response(status, json=body)

        return mcp_of(answer)[0]

    model = Model([use("run", {})], [{"text": "sorry"}])
    broken = failing(500, {"message": "broken"})
    assert mcp_agent.answer("x", broken, model, Deadline.after(60)) == "sorry"
    refused = failing(401, {"error": "unauthorized", "code": "bad_route", "message": "no"})
    with pytest.raises(RouteRejectedError):
        mcp_agent.answer("x", refused, Model([use("run", {})]), Deadline.after(60))


def test_without_tools_the_model_is_told_of_none():
    mcp, _ = mcp_of(lambda _body, _request: {"tools": []})
    model = Model([{"text": "done"}])
    assert mcp_agent.answer("x", mcp, model, Deadline.after(60)) == "done"
    assert set(model.asked[0]) == {"messages"}


def test_a_result_without_text_is_told_as_json():
    def answer(body, _request):
        if body["method"] == "tools/list":
            return {"tools": [{"name": "run"}]}
        return {"content": [], "structuredContent": {"n": 1}}

    model = Model([use("run", {})], [{"text": "done"}])
    mcp_agent.answer("x", mcp_of(answer)[0], model, Deadline.after(60))
    result = model.asked[1]["messages"][-1]["content"][0]["toolResult"]
    assert result["content"] == [{"text": '{"n":1}'}]


def test_a_model_that_says_nothing_is_an_error(mcp):
    with pytest.raises(mcp_agent.AgentError, match="nothing"):
        mcp_agent.answer("x", mcp, Model([]), Deadline.after(60))
