"""Events of what is asked by HTTP and waits: Function URLs, HTTP APIs, REST APIs and load balancers.

This module owns their fields. It must not read a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archal_lambda.lambda_events.parts import (
    ACCOUNT,
    REGION,
    body_text,
    common_log_time,
    grouped,
    header,
    query_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archal_lambda.lambda_events.values import WebRequest

__all__ = ["alb", "payload_one", "payload_two"]

_API = "a1b2c3d4e5"
_URL = "abcdefghijklmnopqrstuvwxyz012345"


def payload_two(  # noqa: PLR0913 - the facts of a request, each by name
    request: WebRequest,
    *,
    now: float,
    request_id: str,
    route: str | None,
    parameters: Mapping[str, str],
    stage: str,
    url: bool,
) -> dict[str, Any]:
    """Make payload 2.0 (API Gateway Developer Guide, "Lambda proxy integrations for HTTP APIs")."""
    prefix = _URL if url else _API
    service = "lambda-url" if url else "execute-api"
    end = "on.aws" if url else "amazonaws.com"
    domain = f"{prefix}.{service}.{REGION}.{end}"
    key = route or "$default"
    path = request.path if stage == "$default" else f"/{stage}{request.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": request.query,
    }
    lower = [(name.lower(), value) for name, value in request.headers]
    cookies = [one.strip() for name, value in lower if name == "cookie" for one in value.split(";")]
    if any(cookies):
        event["cookies"] = [one for one in cookies if one]
    found = grouped([(name, value) for name, value in lower if name != "cookie"])
    event["headers"] = {name: ",".join(values) for name, values in found.items()}
    query = grouped(query_pairs(request.query, decoded=True))
    if query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if parameters:
        event["pathParameters"] = dict(parameters)
    event["requestContext"] = {
        "accountId": "anonymous" if url else ACCOUNT,
        "apiId": prefix,
        "domainName": domain,
        "domainPrefix": prefix,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": header(request, "user-agent") or "",
        },
        "requestId": request_id,
        "routeKey": key,
        "stage": stage,
        "time": common_log_time(now),
        "timeEpoch": int(now * 1000),
    }
    if request.content:
        event["body"], event["isBase64Encoded"] = body_text(request)
    else:
        event["isBase64Encoded"] = False
    return event


def payload_one(  # noqa: PLR0913 - the facts of a request, each by name
    request: WebRequest,
    *,
    now: float,
    request_id: str,
    resource: str,
    parameters: Mapping[str, str],
    stage: str,
) -> dict[str, Any]:
    """Make payload 1.0 (API Gateway Developer Guide, "Input format of a Lambda function for proxy integration")."""
    headers = grouped(list(request.headers))
    query = grouped(query_pairs(request.query, decoded=True))
    body, coded = body_text(request) if request.content else (None, False)
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
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
            "domainPrefix": _API,
            "requestTimeEpoch": int(now * 1000),
            "requestId": request_id,
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": request.source_ip,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": header(request, "user-agent"),
                "user": None,
            },
            "domainName": f"{_API}.execute-api.{REGION}.amazonaws.com",
            "apiId": _API,
        },
        "body": body,
        "isBase64Encoded": coded,
    }


def alb(request: WebRequest, *, multi: bool) -> dict[str, Any]:
    """Make a load balancer's event (Elastic Load Balancing, "Lambda functions as targets")."""
    headers = grouped([(name.lower(), value) for name, value in request.headers])
    # It passes names and values of the query on as they came.
    query = grouped(query_pairs(request.query, decoded=False))
    group = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/local/49e9d65c45c6791a"
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": request.method,
        "path": request.path,
    }
    if multi:
        event["multiValueQueryStringParameters"] = query
        event["multiValueHeaders"] = headers
    else:
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["headers"] = {name: values[-1] for name, values in headers.items()}
    event["body"], event["isBase64Encoded"] = body_text(request) if request.content else ("", False)
    return event
