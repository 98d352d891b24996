"""Runs the example Worker inside Pyodide, on Cloudflare's own SDK; its host is played by `worker_host.mjs`."""

from __future__ import annotations

import asyncio  # noqa: F401 - loaded before the ban below, as in a Worker
import importlib
import json
import os
import sys
import time

import js
import msgspec  # noqa: F401 - the same
import workers
from pyodide.ffi import to_js


def tell(name, **facts):
    print(json.dumps({"name": name, **facts}), flush=True)  # noqa: T201 - read by the test


def imported():
    """Import the Worker under the ban that holds while one starts: no randomness, no clock."""
    starting = True

    def banned(function):
        def call(*args):
            assert not starting, "disallowed while a Worker starts"
            return function(*args)

        return call

    # For good, because what is imported keeps what it finds.
    os.urandom, time.time, time.monotonic = map(banned, (os.urandom, time.time, time.monotonic))
    worker = importlib.import_module("archal_lambda.handlers.edge_worker")
    starting = False
    return worker


def converted(value):
    return to_js(value, dict_converter=js.Object.fromEntries)


async def answered(worker, case):
    """Give what the Worker answers to one request."""
    worker.BUDGET_SECONDS = case["budget"]
    body = {"body": case["body"]} if case["body"] is not None else {}
    options = {"method": case["method"], **body}
    request = workers.Request(js.Request.new("https://worker.test/repos", converted(options)))
    answer = await worker.Default(js.Object.new(), converted(case["env"])).fetch(request)
    fields = js.Array.from_(answer.js_object.headers.entries()).to_py()
    tell(case["name"], status=answer.status, headers=fields, body=await answer.text())


async def main(given):
    """Play every case, then convert answers there and back."""
    worker = imported()
    for case in json.loads(given):
        await answered(worker, case)
    heavy = {"urllib3", "aws_lambda_powertools", "archal_lambda.clients.sync"}
    tell("modules", loaded=sorted(heavy & set(sys.modules)))
    from archal_lambda import Response, edge  # noqa: PLC0415 - after the Worker, which loads them

    there_and_back = []
    for response in (
        Response(200, content=bytes(range(256)), headers=[("X-A", "1"), ("Connection", "close")]),
        Response(404, json={"message": "Not Found"}, headers={"Content-Encoding": "gzip"}),
        Response(204),
        Response(302, headers=[("Location", "/x"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
    ):
        back = await edge.from_worker_response(edge.to_worker_response(response))
        same = (back.status_code, back.content) == (response.status_code, response.content)
        there_and_back.append([same, back.headers.pairs])
    tell("converted", answers=there_and_back)
    try:
        edge.to_worker_response(Response(700))
    except ValueError as error:
        tell("refused", error=str(error))
