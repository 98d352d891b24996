"""The HTTP routes that a SAM template gives its functions.

This module owns how a template spells them, and which one a request takes. It must not serve one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from archal_lambda.invoke.template import (
    TemplateError,
    is_function,
    load_template,
    mapping,
    resolved,
)
from archal_lambda.lambda_events.values import Shape

__all__ = ["Route", "find_route", "http_routes"]

_EVENTS: dict[str, tuple[Shape, str, str]] = {
    # Type of the event: shape, the property that names its API, the API's default stage.
    "HttpApi": ("http-api", "ApiId", "$default"),
    "Api": ("rest-api", "RestApiId", "Prod"),
}
_REST = "/{proxy+}"
_EXACT = 2
_BRACES = {1: "[^/]+", 0: ".+"}  # by rank
_ANY = ("ANY", "*", "X-AMAZON-APIGATEWAY-ANY-METHOD")


@dataclass(frozen=True)
class Route:
    """A way by HTTP to a function."""

    function: str
    shape: Shape
    method: str
    path: str  # with `{name}` and `{name+}`, or the prefix of a Function URL, `/Name/{proxy+}`
    stage: str = "$default"
    binary: tuple[str, ...] = ()  # `BinaryMediaTypes` of a REST API
    guard: str | None = None  # what AWS asks of a caller, and nobody here

    @property
    def key(self) -> str:
        """The route's key, as the event has it."""
        if self.shape == "rest-api":
            return self.path
        return (
            "$default"
            if self.shape == "function-url" or self.path == "$default"
            else (f"{self.method} {self.path}")
        )


def http_routes(template: Path) -> list[Route]:
    """Read the routes of a template's functions, those of one function together.

    A Function URL is a host of its own on AWS; here it is a folder with the function's name, or everything where it is
    the only route.
    """
    if not template.is_file():
        raise TemplateError(f"{template} is not a file; name a SAM template with -t")
    document = load_template(template)
    resources = mapping(document.get("Resources"))
    found = [
        route
        for name, resource in resources.items()
        if is_function(resource)
        for route in _routes_of(name, mapping(resource), document)
    ]
    if not found:
        raise TemplateError(
            f"{template} has no function with HTTP: none has FunctionUrlConfig, or an event of type HttpApi or Api"
        )
    if len(found) == 1 and found[0].shape == "function-url":
        only = found[0]
        found.append(Route(only.function, only.shape, "ANY", _REST, guard=only.guard))
    return found


def find_route(
    routes: Sequence[Route], method: str, path: str
) -> tuple[Route, dict[str, str]] | None:
    """Find the most specific route for a request, and what stands in its braces, as it is sent."""
    for route in sorted(routes, key=_weight, reverse=True):
        if route.method in ("ANY", method):
            match = _pattern(route.path, route.shape).fullmatch(path)
            if match is not None:
                names = [part.strip("{+}") for part in route.path.strip("/").split("/")]
                given = match.groupdict().items()
                return route, {names[int(group[1:])]: value for group, value in given}
    return None


def _routes_of(name: str, resource: dict[str, Any], document: dict[str, Any]) -> list[Route]:
    parameters = mapping(document.get("Parameters"))
    shared = mapping(mapping(document.get("Globals")).get("Function"))
    own = mapping(resource.get("Properties"))
    found: list[Route] = []
    for event in mapping(own.get("Events")).values():
        kind = mapping(event).get("Type")
        if kind in _EVENTS:
            found.append(_api_route(name, str(kind), mapping(event), document))
    config = own.get("FunctionUrlConfig", shared.get("FunctionUrlConfig"))
    if config is not None:
        auth = resolved(mapping(config).get("AuthType"), parameters)
        guard = None if auth == "NONE" else str(auth)
        found.append(Route(name, "function-url", "ANY", f"/{name}{_REST}", guard=guard))
    return found


def _api_route(name: str, kind: str, event: dict[str, Any], document: dict[str, Any]) -> Route:
    shape, property_, stage = _EVENTS[kind]
    properties = mapping(event.get("Properties"))
    parameters = mapping(document.get("Parameters"))
    if str(properties.get("PayloadFormatVersion", "2.0")) != "2.0":
        raise TemplateError(
            f"{name} asks for PayloadFormatVersion 1.0 of an HttpApi; only 2.0 is here"
        )
    api = mapping(properties.get(property_)).get("Ref")
    declared = mapping(mapping(mapping(document.get("Resources")).get(str(api))).get("Properties"))
    shared = mapping(mapping(document.get("Globals")).get(kind))
    both = {**shared, **declared}
    named = resolved(both.get("StageName"), parameters)
    kinds = both.get("BinaryMediaTypes")
    method = str(resolved(properties.get("Method"), parameters) or "ANY").upper()
    path = str(resolved(properties.get("Path"), parameters) or "$default")
    return Route(
        function=name,
        shape=shape,
        method="ANY" if method in _ANY or path == "$default" else method,
        path=path if path.startswith("/") else "$default",
        stage=named if isinstance(named, str) and named else stage,
        # Spelled as in a JSON pointer, for CloudFormation.
        binary=tuple(str(one).replace("~1", "/") for one in _listed(kinds)),
        guard=_guard(properties, mapping(both.get("Auth"))),
    )


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _guard(properties: dict[str, Any], shared: dict[str, Any]) -> str | None:
    own = mapping(properties.get("Auth")).get("Authorizer")
    name = own if own is not None else shared.get("DefaultAuthorizer")
    return None if name in (None, "NONE") else str(name)


@cache
def _pattern(path: str, shape: Shape) -> re.Pattern[str]:
    if path == "$default":
        return re.compile(".*")
    if shape == "function-url":  # its root is the folder itself, too
        return re.compile(f"{re.escape(path.removesuffix(_REST))}(?:/.*)?")
    parts: list[str] = []
    for number, part in enumerate(path.strip("/").split("/")):
        kind = _rank(part)
        parts.append(re.escape(part) if kind == _EXACT else f"(?P<p{number}>{_BRACES[kind]})")
    # A REST API takes a path with or without the slash at its end.
    return re.compile("/" + "/".join(parts) + ("/?" if shape == "rest-api" else ""))


def _rank(part: str) -> int:
    # An exact segment goes before a parameter, and that before a rest.
    if not (part.startswith("{") and part.endswith("}")):
        return _EXACT
    return 0 if part.endswith("+}") else 1


def _weight(route: Route) -> tuple[tuple[int, ...], bool]:
    known = route.path != "$default"
    ranks = tuple(map(_rank, route.path.strip("/").split("/"))) if known else ()
    return ranks, route.method != "ANY"
