"""GitHub's refusals, with the words and shapes of the real service.

Owns `message`, `errors`, `documentation_url` and `status` of error bodies (GitHub docs,
rest/using-the-rest-api/troubleshooting-the-rest-api). It must not decide when to refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS = "https://docs.github.com/rest"

_AUTHENTICATION = f"{DOCS}/overview/resources-in-the-rest-api#authentication"


class GitHubError(Exception):
    """A refusal in GitHub's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: tuple[dict[str, str], ...] = (),
        documentation_url: str = DOCS,
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
    """Refuse a call without credential, word for word as in Archal docs, direct-api-access."""
    return GitHubError(401, "Requires authentication", documentation_url=_AUTHENTICATION)


def bad_credentials() -> GitHubError:
    """Refuse a credential of an unknown scheme."""
    return GitHubError(401, "Bad credentials")


def not_found() -> GitHubError:
    """Refuse what does not exist or may not be seen."""
    return GitHubError(404, "Not Found")


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


def conflict(message: str) -> GitHubError:
    """Refuse a change that was made against an older state."""
    return GitHubError(409, message)
