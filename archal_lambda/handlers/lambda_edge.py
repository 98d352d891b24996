"""Create a repository on the GitHub clone, from Lambda@Edge: a handler for CloudFront's origin requests.

Lambda@Edge has no environment variables, so the settings are here in the code. The token comes as a custom header of
the origin, `x-archal-token`, which is set at the distribution and never leaves CloudFront. A POST to `/repos` is
answered here. Every other request goes on to the origin, without that header.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aws_lambda_powertools import Logger

from archal_lambda import (
    ArchalError,
    Clones,
    ConfigurationError,
    Deadline,
    DecodeError,
    LambdaContext,
    Settings,
)
from archal_lambda.powertools import failure_result, json_result, log_calls, read_json

# Set this to your session's clones.
CLONE_URLS = {"github": "https://ses-01hxyz.clones.archal.ai/github/api"}
TOKEN_HEADER = "x-archal-token"  # noqa: S105 - a header's name
# CloudFront waits 5 s for a viewer's function and 30 s for an origin's; a viewer waits for both.
BUDGET_SECONDS = 5.0
# The dummy that Archal documents for GitHub clones; the real GitHub refuses it.
GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"  # noqa: S105 - public, see above

logger = Logger(service="create-repo-at-edge")


class NewRepo(msgspec.Struct, omit_defaults=True):
    """What the caller asks for."""

    name: str
    private: bool = False


class Repo(msgspec.Struct):
    """What the caller gets. The clone's response has more fields."""

    id: int
    full_name: str
    html_url: str
    private: bool


def take_token(request: dict[str, Any]) -> str:
    """Take the token off CloudFront's request. It is empty if the distribution sets no such header."""
    token = ""
    for origin in request.get("origin", {}).values():
        for field in origin.get("customHeaders", {}).pop(TOKEN_HEADER, []):
            token = field["value"]
    return token


def create(request: dict[str, Any], token: str, context: LambdaContext) -> dict[str, Any]:
    """Create the repository, and answer as an HTTP function does."""
    if not token:
        raise ConfigurationError(TOKEN_HEADER, "must be a custom header of the origin")
    body = request.get("body", {})
    if body.get("inputTruncated"):
        return json_result(413, {"message": "the body is larger than 1 MB"})
    encoded = body.get("encoding") == "base64"
    try:
        new = read_json({"body": body.get("data"), "isBase64Encoded": encoded}, NewRepo)
    except DecodeError as error:
        return json_result(400, {"message": str(error)})
    deadline = Deadline.from_context(context, reserve=0.5).within(BUDGET_SECONDS)
    settings = Settings(clone_urls=CLONE_URLS, token=token)
    with Clones(settings, on_call=log_calls(logger)) as clones:
        github = clones["github"].with_deadline(deadline)
        response = github.post("/user/repos", json=new, token=GITHUB_TOKEN)
        return json_result(201, response.raise_for_status().decode(Repo))


def generated(result: dict[str, Any]) -> dict[str, Any]:
    """Turn the result of an HTTP function into a response that CloudFront sends without asking the origin."""
    return {
        "status": str(result["statusCode"]),
        "headers": {name: [{"value": value}] for name, value in result["headers"].items()},
        "body": result["body"],
        "bodyEncoding": "base64" if result["isBase64Encoded"] else "text",
    }


@logger.inject_lambda_context(log_event=False)  # the event contains the token
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one origin request, body included: return a generated response, or the request to go on with."""
    request: dict[str, Any] = event["Records"][0]["cf"]["request"]
    token = take_token(request)
    if (request["method"], request["uri"]) != ("POST", "/repos"):
        return request
    try:
        return generated(create(request, token, context))
    except ArchalError as error:
        return generated(failure_result(error, logger))
