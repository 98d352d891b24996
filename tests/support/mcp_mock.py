"""An MCP client whose server is a function."""

from __future__ import annotations

import json

from archal_lambda import Clones, Response, Settings
from archal_lambda.transports.mock import MockTransport


def mcp_of(answer):
    """A client whose requests a function answers: with a result, a response, or an error's code."""
    requests = []

    def handle(request):
        requests.append(request)
        body = json.loads(request.content)
        made = answer(body, request)
        if isinstance(made, Response):
            return made
        message = {"jsonrpc": "2.0", "id": body.get("id")}
        if isinstance(made, int):
            error = {"code": made, "message": "refused ghx_Secret0123456789"}
            return Response(400, json=message | {"error": error})
        return Response(200, json=message | {"result": made})

    settings = Settings(clone_urls={"svc": "https://svc.test/svc/api"}, token="t")
    return Clones(settings, transport=MockTransport(handle))["svc"].mcp, requests
