"""Archal's own answers: JSON bodies, the error envelope, and the bearer check behind both doors.

Owns the shape ``{error, code, message}`` of the ErrorResponse schema. It must not know sessions,
clones or routes, and never puts a token or a body into a message.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOO_LARGE = 413


class ApiError(Exception):
    """A refusal by Archal itself, as opposed to an answer of a clone.

    Args:
        status: HTTP status code.
        code: Machine-readable reason. Archal documents the field, not its values.
        message: One sentence for people, free of secrets.
        headers: Extra response headers.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def json_answer(
    data: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Encode one JSON answer.

    Args:
        data: Anything msgspec encodes.
        status: HTTP status code.
        headers: Extra response headers.

    Returns:
        The response, with ``content-type: application/json``.
    """
    return Response(
        msgspec.json.encode(data),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def envelope(error: ApiError) -> Response:
    """Render a refusal as Archal's ErrorResponse.

    Args:
        error: The refusal.

    Returns:
        The response; ``error`` is the status phrase in snake case (Archal OpenAPI 0.3.0,
        ErrorResponse: all four fields are optional strings).
    """
    # Python renamed the phrase of 413 in 3.13; the wire must not depend on that.
    phrase = "Content Too Large" if error.status == _TOO_LARGE else HTTPStatus(error.status).phrase
    slug = phrase.lower().replace(" ", "_")
    body = {"error": slug, "code": error.code, "message": error.message}
    return json_answer(body, status=error.status, headers=error.headers)


def unauthorized(header: str) -> ApiError:
    """Build the 401 for a missing or bad bearer token.

    Args:
        header: The header in which the token was expected.

    Returns:
        The refusal, with the challenge RFC 9110 section 11.6.1 asks for.
    """
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        f"{header} must hold 'Bearer ' and a valid Archal token",
        headers={"www-authenticate": 'Bearer realm="archal"'},
    )


def payload_too_large(limit: int) -> ApiError:
    """Build the 413 for a request body above the limit.

    Args:
        limit: The limit in bytes.

    Returns:
        The refusal.
    """
    return ApiError(
        _TOO_LARGE,
        "payload_too_large",
        f"request bodies are limited to {limit} bytes",
    )


def bearer(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Read the bearer token of one header.

    Args:
        headers: Raw ASGI headers, names in lower case.
        name: The header's name in lower case.

    Returns:
        The token, or None if the header is missing, repeated or of another scheme. A repeated
        header is refused because two readers could each believe a different one.
    """
    values = [value for key, value in headers if key == name]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
