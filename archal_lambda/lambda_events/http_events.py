"""Events of what is asked by HTTP and waits: Function URLs, HTTP APIs, REST APIs and load balancers.

This module owns their fields. It must not read a result. Where the guides are silent, it follows events that AWS sent
(hotsock/voker, `vokerhttp/testdata`, captured in July 2026).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from archal_lambda.lambda_events.parts import (
    ACCOUNT,
    REGION,
    body_text,
    common_log_time,
    declared_text,
    forwarded,
    grouped,
    header,
    query_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archal_lambda.lambda_events.values import WebRequest

__all__ = ["alb", "payload_one", "payload_two"]

_API = "a1b2c3d4e5"
_URL = "abcdefghijklmnopqrstuvwxyz012345"


def payload_two(  # noqa: PLR0913 - the facts of a request, each by name
    request: WebRequest,
    *,
    now: float,
    request_id: str,
    route: str,
    parameters: Mapping[str, str],
    stage: str,
    url: bool,
) -> dict[str, Any]:
    """Make payload 2.0 (API Gateway Developer Guide, "Lambda proxy integrations for HTTP APIs")."""
    default = f"{_URL}.lambda-url.{REGION}.on.aws" if url else _api_domain()
    path = request.path if url else _twice_decoded(request.path)
    if stage != "$default":
        path = f"/{stage}{path}"
    lower = [
        (name.lower(), value) for name, value in forwarded(request, now=now, request_id=request_id)
    ]
    sent = "; ".join(value for name, value in lower if name == "cookie")
    cookies = [one.strip() for one in sent.split(";") if one.strip()]
    # An HTTP API gives them in one place, a Function URL in both.
    headers = grouped([pair for pair in lower if pair[0] != "cookie"])
    if url and cookies:
        headers["cookie"] = [sent]
    domain, prefix = _names(headers.setdefault("host", [default]))
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": request.query,
    }
    if cookies:
        event["cookies"] = cookies
    event["headers"] = {name: ",".join(values) for name, values in headers.items()}
    query = grouped(query_pairs(request.query, decoded=True))
    if query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if parameters:
        event["pathParameters"] = {name: unquote(value) for name, value in parameters.items()}
    event["requestContext"] = {
        "accountId": "anonymous" if url else ACCOUNT,
        "apiId": _URL if url else _API,
        "domainName": domain,
        "domainPrefix": prefix,
        "http": {
            "method": request.method,
            "path": unquote(path) if url else path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": header(request, "user-agent") or "",
        },
        "requestId": request_id,
        "routeKey": route,
        "stage": stage,
        "time": common_log_time(now),
        "timeEpoch": int(now * 1000),
    }
    coded = False
    if request.content:
        event["body"], coded = body_text(request)
    event["isBase64Encoded"] = coded
    return event


def payload_one(  # noqa: PLR0913 - the facts of a request, each by name
    request: WebRequest,
    *,
    now: float,
    request_id: str,
    resource: str,
    parameters: Mapping[str, str],
    stage: str,
    binary: Sequence[str] | None,
) -> dict[str, Any]:
    """Make payload 1.0 (API Gateway Developer Guide, "Input format of a Lambda function for proxy integration")."""
    passed = [
        (name, value)
        for name, value in forwarded(request, now=now, request_id=request_id)
        if name.lower() != "content-length"
    ]
    if header(request, "host") is None:
        passed.append(("Host", _api_domain()))
    headers = grouped(passed)
    domain, prefix = _names([value for name, value in passed if name.lower() == "host"])
    query = grouped(query_pairs(request.query, decoded=True))
    body, coded = declared_text(request, binary) if request.content else (None, False)
    identity = dict.fromkeys(_IDENTITY) | {
        "sourceIp": request.source_ip,
        "userAgent": header(request, "user-agent"),
    }
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "123456",
            "resourcePath": resource,
            "httpMethod": request.method,
            "extendedRequestId": request_id,
            "requestTime": common_log_time(now),
            "path": f"/{stage}{request.path}",
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": stage,
            "domainPrefix": prefix,
            "requestTimeEpoch": int(now * 1000),
            "requestId": request_id,
            "identity": identity,
            "domainName": domain,
            "apiId": _API,
        },
        "body": body,
        "isBase64Encoded": coded,
    }


def alb(request: WebRequest, *, now: float, request_id: str, multi: bool) -> dict[str, Any]:
    """Make a load balancer's event (Elastic Load Balancing, "Lambda functions as targets")."""
    passed = forwarded(request, now=now, request_id=request_id)
    headers = grouped([(name.lower(), value) for name, value in passed])
    headers.setdefault("host", [f"local-123456789.{REGION}.elb.amazonaws.com"])
    # It passes names and values of the query on as they came.
    query = grouped(query_pairs(request.query, decoded=False))
    group = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/local/49e9d65c45c6791a"
    body, coded = body_text(request) if request.content else ("", False)
    fields: dict[str, Any] = (
        {"multiValueQueryStringParameters": query, "multiValueHeaders": headers}
        if multi
        else {"queryStringParameters": _last(query), "headers": _last(headers)}
    )
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": request.method,
        "path": request.path,
        **fields,
        "body": body,
        "isBase64Encoded": coded,
    }


_IDENTITY = (
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "sourceIp",
    "principalOrgId",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "userAgent",
    "user",
)


def _api_domain() -> str:
    return f"{_API}.execute-api.{REGION}.amazonaws.com"


def _names(hosts: list[str]) -> tuple[str, str]:
    domain = hosts[0].partition(":")[0]
    return domain, domain.partition(".")[0]


def _last(values: dict[str, list[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}


def _twice_decoded(path: str) -> str:
    # As captured: `%3F` ends the path, and `%252F` is a slash.
    return unquote(unquote(path).partition("?")[0])
