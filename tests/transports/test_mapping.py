"""Every failure below becomes an error of ours, whatever step it happens in."""

from __future__ import annotations

import builtins
import inspect
import pickle
import ssl

import pytest
from support.faults.client import ECHO

from archal_lambda.errors import (
    CertificateError,
    ConnectError,
    ConnectionLost,
    ProtocolError,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)
from archal_lambda.testing.faulty_server import good
from archal_lambda.transports import _body, _exchange, _http1
from archal_lambda.transports._connection import Connection


def subclasses(base, *modules):
    found = {
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, base) and not issubclass(cls, Warning)
    }
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


FAILURES = [
    _body.TooLarge,
    _http1.Cut,
    _http1.Malformed,
    *subclasses(ssl.SSLError, ssl),
    *subclasses(OSError, builtins),
]
# After these the answer is still looked for.
WRITING_STOPPED = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)


def made(cls):
    """Make an error without its constructor, which may want a pool or a response."""
    error = cls.__new__(cls)
    # The words of the operating system, and our own, are no secret; those of all others may be the peer's.
    ours = issubclass(cls, OSError | _http1.Malformed | _http1.Cut | _body.TooLarge)
    Exception.__init__(error, "in plain words" if ours else ECHO)
    return error


def expected(cls, phase):
    if issubclass(cls, _body.TooLarge):
        return ResponseTooLarge
    if issubclass(cls, _http1.Malformed):
        return ProtocolError
    if issubclass(cls, TimeoutError):
        return RequestTimeout
    if phase == "connecting" and issubclass(cls, ssl.SSLCertVerificationError):
        return CertificateError
    return ConnectError if phase == "connecting" else ConnectionLost


def test_the_list_of_errors_is_not_empty():
    """It comes of a walk through modules."""
    names = {cls.__name__ for cls in FAILURES}
    assert len(FAILURES) > 20
    assert {"BrokenPipeError", "SSLCertVerificationError", "Malformed"} <= names


@pytest.mark.parametrize(
    ("step", "cls"),
    [
        pytest.param(step, cls, id=f"{step}-{cls.__module__}.{cls.__name__}")
        for step in ("connecting", "writing", "reading")
        for cls in FAILURES
        if step != "writing" or not issubclass(cls, WRITING_STOPPED)
    ],
)
def test_no_foreign_error_escapes(plain_site, monkeypatch, step, cls):
    """Each error of the reader, of ssl or of the system is a TransportError with the right `sent`."""
    here = plain_site(good)

    def fails(*_args):
        raise made(cls)

    if step == "connecting":
        monkeypatch.setattr(Connection, "open", fails)
    elif step == "writing":
        monkeypatch.setattr(_exchange, "write_request", fails)
    else:
        monkeypatch.setattr(Connection, "receive", fails)
    error = here.fail(error=expected(cls, step))
    assert isinstance(error, TransportError)
    assert error.sent is (step == "reading")
    # The system's own error is kept, but not its frames, which hold bytes of the exchange.
    assert type(error.__cause__) is (cls if issubclass(cls, OSError) else type(None))
    assert getattr(error.__cause__, "__traceback__", None) is None
    assert error.__context__ is None
    assert pickle.loads(pickle.dumps(error)).sent is error.sent  # noqa: S301 - made one line above


@pytest.mark.parametrize("cls", WRITING_STOPPED, ids=lambda cls: cls.__name__)
def test_after_a_broken_write_the_response_is_read(plain_site, monkeypatch, cls):
    """A peer that stops reading may have said why. The connection is not used again."""
    here = plain_site(good)
    offer = Connection.offer

    def breaks(connection, data):
        offer(connection, data)
        raise made(cls)

    monkeypatch.setattr(Connection, "offer", breaks)
    assert here.call().content.startswith(b"0 ")
    monkeypatch.undo()
    assert here.call().content.startswith(b"1 ")
