"""One request to the clone: lookups, bodies, pages and refusals, the same for every operation.

This module owns how an operation reads what it was asked, how it reports success, and GitHub's error bodies with the
words and shapes of the real service (GitHub docs, rest/using-the-rest-api). It must not know any single operation,
nor how requests are routed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import parse_qs

import msgspec
from starlette.responses import Response

from archal_lambda.core.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from starlette.requests import Request

    from archal_lambda.local.clones.github.model import Issue, Repo
    from archal_lambda.local.clones.github.state import State
    from archal_lambda.local.clones.github.views import Json
    from archal_lambda.local.webhooks.outbox import Outbox

__all__ = [
    "Call",
    "Clone",
    "GitHubError",
    "LabelName",
    "bad_credentials",
    "invalid_request",
    "json_response",
    "label_names",
    "no_content",
    "not_found",
    "not_implemented",
    "rate_limit_exceeded",
    "requires_authentication",
    "validation_failed",
]

_ORIGIN = f"https://{SERVICES['github'].hosts[0]}"
_DOCS = "https://docs.github.com/rest"
_AUTHENTICATION = f"{_DOCS}/overview/resources-in-the-rest-api#authentication"
_RATE_LIMITS = f"{_DOCS}/overview/rate-limits-for-the-rest-api"
_PER_PAGE = 30
_MAX_PER_PAGE = 100

T = TypeVar("T")


class GitHubError(Exception):
    """A refusal in GitHub's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: tuple[dict[str, str], ...] = (),
        documentation_url: str = _DOCS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        details: dict[str, object] = {"errors": errors} if errors else {}
        self.body: dict[str, object] = {
            "message": message,
            **details,
            "documentation_url": documentation_url,
            "status": str(status),
        }


def requires_authentication() -> GitHubError:
    """Refuse a call without a credential, word for word as in Archal docs, direct-api-access."""
    return GitHubError(401, "Requires authentication", documentation_url=_AUTHENTICATION)


def bad_credentials() -> GitHubError:
    """Refuse a credential of an unknown scheme."""
    return GitHubError(401, "Bad credentials")


def rate_limit_exceeded(headers: Mapping[str, str]) -> GitHubError:
    """Refuse a call once the rate limit is spent."""
    return GitHubError(
        429,
        "API rate limit exceeded for user ID 1.",
        documentation_url=_RATE_LIMITS,
        headers=headers,
    )


def not_found() -> GitHubError:
    """Refuse what does not exist or may not be seen."""
    return GitHubError(404, "Not Found")


def not_implemented() -> GitHubError:
    """Refuse what GitHub has and this clone has not; no status of GitHub's own could be told from a real one."""
    return GitHubError(
        501,
        "Not implemented by the local GitHub clone, although GitHub has it. "
        "`archal-lambda local --list-routes` prints what there is.",
        headers={"x-archal-local": "not-implemented"},
    )


def validation_failed(
    resource: str,
    field: str,
    code: str,
    *,
    message: str | None = None,
    summary: str = "Validation Failed",
) -> GitHubError:
    """Refuse one field with GitHub's 422."""
    detail = {"resource": resource, "code": code, "field": field}
    if message is not None:
        detail["message"] = message
    return GitHubError(422, summary, errors=(detail,))


def invalid_request(reason: str) -> GitHubError:
    """Refuse a body of the wrong shape."""
    return GitHubError(422, f"Invalid request.\n\n{reason}")


class LabelName(msgspec.Struct, frozen=True):
    """A label given as an object; GitHub takes that as well as the bare name."""

    name: str


def label_names(labels: Iterable[str | LabelName]) -> list[str]:
    """Read label names, bare or in objects; none may be blank."""
    names = [label if isinstance(label, str) else label.name for label in labels]
    if not all(name.strip() for name in names):
        raise validation_failed("Label", "name", "missing_field")
    return names


def json_response(
    data: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Encode one successful JSON response."""
    return Response(msgspec.json.encode(data), status, headers=headers)


def no_content() -> Response:
    """Report success without a body."""
    return Response(status_code=204)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """One page of a list."""

    number: int
    size: int
    query: str

    @classmethod
    def of(cls, query: str) -> Self:
        """Read which page is asked for; what is not a positive number counts as not sent."""
        values = parse_qs(query)
        size = _positive(values.get("per_page", [""])[-1], _PER_PAGE)
        number = _positive(values.get("page", [""])[-1], 1)
        return cls(number=number, size=min(size, _MAX_PER_PAGE), query=query)

    def slice(self, items: Sequence[T]) -> Sequence[T]:
        """Cut the page out of the whole list."""
        return items[(self.number - 1) * self.size : self.number * self.size]

    def link(self, url: str, *, total: int) -> str:
        """Write the `Link` header (RFC 8288) of the page; it is empty if the list has only one."""
        last = max(1, -(-total // self.size))
        targets = {
            "prev": min(self.number - 1, last) if self.number > 1 else None,
            "next": self.number + 1 if self.number < last else None,
            "last": last if self.number < last else None,
            "first": 1 if self.number > 1 else None,
        }
        # The other parameters are kept byte for byte: a client must get back what it asked for.
        kept = [part for part in self.query.split("&") if part and not part.startswith("page=")]
        return ", ".join(
            f'<{url}?{"&".join([*kept, f"page={number}"])}>; rel="{relation}"'
            for relation, number in targets.items()
            if number is not None
        )


def _positive(text: str, default: int) -> int:
    """Read a positive number of at most nine digits, which is more than any list has."""
    # `int` alone would take signs, spaces, and digits of other scripts.
    plain = text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - see above
    return (int(text) if plain else 0) or default


@dataclasses.dataclass(slots=True, kw_only=True)
class Clone:
    """One GitHub clone."""

    state: State  # replaced as a whole when the clone goes back to another
    base_url: str  # what URLs in bodies begin with
    outbox: Outbox  # where what happens is told


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one operation, with what every operation needs."""

    clone: Clone
    request: Request
    body: bytes  # all of it
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
        """Read a path parameter that is a positive number; nothing has any other."""
        number = _positive(self.path(name), 0)
        if not number:
            raise not_found()
        return number

    def query(self, name: str, default: str = "") -> str:
        """Read a query parameter."""
        return self.request.query_params.get(name, default)

    def decode(self, kind: type[T], *, bare: str | None = None) -> T:
        """Decode the JSON body; an array stands for the field `bare` of an object."""
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
        """Check and convert decoded data; unknown fields are ignored, as GitHub does."""
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            raise invalid_request(str(error)) from None

    def repo(self, *, write: bool = False) -> Repo:
        """Find the repository of the path, which a caller without a credential may see only if it is public."""
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
        """Respond with one page of a list."""
        scope = self.request.scope
        page = _Page.of(scope["query_string"].decode("ascii"))
        url = f"{_ORIGIN}{scope['raw_path'].decode('ascii')}"
        link = page.link(url, total=len(items))
        found = [view(item) for item in page.slice(items)]
        return json_response(found, headers={"link": link} if link else {})

    def created(self, data: Json) -> Response:
        """Respond with a new object, and with its `url` on GitHub's origin as `Location`."""
        path = str(data["url"]).removeprefix(self.base)
        return json_response(data, status=201, headers={"location": f"{_ORIGIN}{path}"})
