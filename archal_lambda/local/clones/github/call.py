"""One request to the clone: lookups, bodies and pages, the same for every operation.

Owns how an operation reads what it was asked and how it answers success. It must not know any
single operation, nor how requests are routed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.responses import Response

from archal_lambda.local.clones.github.errors import GitHubError, invalid_request, not_found
from archal_lambda.local.clones.github.pages import Page, positive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from archal_lambda.local.clones.github.accounts import Json
    from archal_lambda.local.clones.github.model import Issue, Repo
    from archal_lambda.local.clones.github.state import State

HOST = "api.github.com"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """One GitHub clone."""

    state: State
    base_url: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one operation, with what every operation needs."""

    clone: Clone
    request: Request
    body: bytes
    authenticated: bool

    @property
    def state(self) -> State:
        """The clone's memory."""
        return self.clone.state

    @property
    def base(self) -> str:
        """What URLs in bodies begin with."""
        return self.clone.base_url

    def path(self, name: str) -> str:
        """Read a path parameter, decoded."""
        return str(self.request.path_params[name])

    def number(self, name: str) -> int:
        """Read a path parameter that is a positive number."""
        number = positive(self.path(name), 0)
        if not number:
            raise not_found()
        return number

    def query(self, name: str, default: str = "") -> str:
        """Read a query parameter."""
        return self.request.query_params.get(name, default)

    def decode(self, kind: type[T], *, bare: str | None = None) -> T:
        """Decode the JSON body."""
        try:
            raw: object = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise GitHubError(400, "Problems parsing JSON") from None
        opening = self.body.lstrip()[:1]
        if bare is not None and opening == b"[":
            return self.convert({bare: raw}, kind)
        if opening != b"{":
            raise GitHubError(400, "Body should be a JSON object")
        return self.convert(raw, kind)

    @staticmethod
    def convert(raw: object, kind: type[T]) -> T:
        """Check and convert decoded data."""
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            raise invalid_request(str(error)) from None

    def repo(self, *, write: bool = False) -> Repo:
        """Find the repository of the path."""
        repo = self.state.find_repo(self.path("owner"), self.path("repo"))
        if repo is None or (repo.private and not self.authenticated):
            raise not_found()
        if write and repo.archived:
            raise GitHubError(403, "Repository was archived so is read-only.")
        return repo

    def issue(self, repo: Repo) -> Issue:
        """Find the issue of the path."""
        issue = repo.issues.get(self.number("number"))
        if issue is None:
            raise not_found()
        return issue

    def page(self, items: Sequence[T], view: Callable[[T], Json]) -> Response:
        """Answer one page of a list."""
        scope = self.request.scope
        page = Page.of(scope["query_string"].decode("ascii"))
        url = f"https://{HOST}{scope['raw_path'].decode('ascii')}"
        link = page.link(url, total=len(items))
        found = [view(item) for item in page.slice(items)]
        return answer(found, headers={"link": link} if link else {})

    def created(self, data: Json) -> Response:
        """Answer 201 with the new object and its `Location` on GitHub's origin."""
        path = str(data["url"]).removeprefix(self.base)
        return answer(data, status=201, headers={"location": f"https://{HOST}{path}"})


def answer(
    data: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Encode one successful JSON answer."""
    return Response(msgspec.json.encode(data), status, headers=headers)


def no_content() -> Response:
    """Answer 204."""
    return Response(status_code=204)
