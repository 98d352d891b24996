"""What the events of a function contain: the body of an HTTP request, the message of a queue's record.

This module owns the shapes in which AWS wraps them. It must not know what a body or a message is for.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from archal_lambda.core.json import decode_plain
from archal_lambda.core.secrets import guarded
from archal_lambda.errors import DecodeError

__all__ = ["MAX_BODY_BYTES", "header_values", "http_body", "http_header", "message_of", "raw_body"]

# AWS Lambda's limit for the payload of a request; a coded body may grow to what a plain one could be.
MAX_BODY_BYTES = 6 * 1024 * 1024
_MAX_STREAMS = 128  # bgzip makes one for each 64 KB
# The `wbits` by which zlib undoes a coding (RFC 9110, section 8.4.1).
_CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_MAX_WRAPPERS = 3  # EventBridge to SNS to SQS makes two


@guarded
def http_body(event: object) -> bytes:
    """Find the body of an HTTP event, base64 and content coding undone; a `DecodeError` if it cannot be."""
    if not isinstance(event, Mapping):
        raise DecodeError("the event is not an HTTP event")
    fields = cast("Mapping[str, Any]", event)
    content = raw_body(fields)
    listed = (http_header(fields, "content-encoding") or "").lower().split(",")
    codings = [name for one in listed if (name := one.strip()) not in {"", "identity"}]
    if not codings or not content:
        return content
    if len(codings) > 1 or codings[0] not in _CODINGS:
        raise DecodeError("the body has a content coding other than gzip or deflate")
    return _undone(content, _CODINGS[codings[0]])


@guarded
def raw_body(event: Mapping[str, Any]) -> bytes:
    """Find the body of an HTTP event as it was sent: base64 is undone, a content coding is not."""
    body = event.get("body")
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else b""
    # The second name is VPC Lattice's, event structure 1.0 (VPC Lattice User Guide, "Lambda functions").
    if event.get("isBase64Encoded") is True or event.get("is_base64_encoded") is True:
        content = _from_base64(content)
    return content


@guarded
def header_values(event: Mapping[str, Any], name: str) -> list[str]:
    """Find every value of a header by its name in lower case, whichever way the event spells and repeats it.

    An API Gateway's payload 1.0 has the last value in one place, and all of them in the other. A load balancer may give
    lists of values, and VPC Lattice 2.0 always does.
    """
    for fields in (event.get("multiValueHeaders"), event.get("headers")):
        if not isinstance(fields, Mapping):
            continue
        found: list[object] = []
        for key, value in cast("Mapping[str, object]", fields).items():
            if key.lower() == name:
                found += cast("list[object]", value) if isinstance(value, list) else [value]
        if found:
            return [one for one in found if isinstance(one, str)]
    return []


@guarded
def http_header(event: Mapping[str, Any], name: str) -> str | None:
    """Find a header by its name in lower case; None if there is none.

    A load balancer may give lists of values, and VPC Lattice 2.0 always does.
    """
    for fields in (event.get("headers"), event.get("multiValueHeaders")):
        if not isinstance(fields, Mapping):
            continue
        for key, value in cast("Mapping[str, object]", fields).items():
            if key.lower() == name:
                values = cast("list[object]", value) if isinstance(value, list) else [value]
                return ",".join(one for one in values if isinstance(one, str))
    return None


@guarded
def message_of(body: object) -> object:
    """Decode the body of a queue's record, taken out of an SNS notification and an EventBridge event."""
    value = _plain(body)
    for _ in range(_MAX_WRAPPERS):
        value = _unwrapped(value)
    return value


def _unwrapped(value: object) -> object:
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    # Amazon SNS Developer Guide, "HTTP/HTTPS notification JSON format"; SQS gets the same.
    if fields.get("Type") == "Notification" and isinstance(fields.get("Message"), str):
        return _plain(fields["Message"])
    # Amazon EventBridge User Guide, "Structure of EventBridge events".
    return fields["detail"] if "detail-type" in fields and "detail" in fields else fields


def _plain(text: object) -> Any:  # noqa: ANN401 - JSON may be anything
    if not isinstance(text, str):
        raise DecodeError("the body is not a text")
    return decode_plain(text.encode("utf-8", "surrogatepass"))


def _from_base64(content: bytes) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise DecodeError("the body is not valid base64") from None


def _undone(content: bytes, wbits: int) -> bytes:
    try:
        return b"".join(_streams(content, wbits))
    except zlib.error:
        raise DecodeError("the body does not match its content coding") from None


def _streams(content: bytes, wbits: int) -> Iterator[bytes]:
    # gzip may hold several streams (RFC 1952, section 2.2).
    room = MAX_BODY_BYTES
    for _ in range(_MAX_STREAMS):
        stream = zlib.decompressobj(wbits)
        piece = stream.decompress(content, room + 1)
        room -= len(piece)
        if room < 0:
            raise DecodeError(f"the body has more than {MAX_BODY_BYTES} bytes, decompressed")
        if not stream.eof:
            raise DecodeError("the compressed body is incomplete")
        yield piece
        content = stream.unused_data
        if not content:
            return
    raise DecodeError(f"the body has more than {_MAX_STREAMS} gzip streams")
