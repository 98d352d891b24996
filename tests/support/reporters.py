"""What reporters of errors make of an exception: Sentry's and Rollbar's own code, Python's, and one worse than all.

Each is a function that is given an exception and returns all it would tell, as one text. The frames of the tests are
left out: a caller's own variables are the caller's to show.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import traceback
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec
import rollbar
import sentry_sdk
from sentry_sdk.transport import Transport

TESTS = str(Path(__file__).parents[1])


@contextlib.contextmanager
def sentry():
    """Sentry's SDK with its defaults; what it would send is kept."""
    sent = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            sent.extend(item.payload.json for item in envelope.items if item.type == "event")

    def report(error):
        sent.clear()
        sentry_sdk.capture_exception(error)
        (event,) = sent
        for one in event["exception"]["values"]:
            stack = one.get("stacktrace") or {}
            stack["frames"] = [
                frame for frame in stack.get("frames", ()) if not _ours(frame["abs_path"])
            ]
        return json.dumps(event, ensure_ascii=False, default=repr)

    sentry_sdk.init("http://key@127.0.0.1:9/1", transport=Kept)
    try:
        yield report
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)


@contextlib.contextmanager
def rollbar_(patch):
    """Rollbar's SDK with its defaults; what it would send is kept."""
    sent = []
    patch.setattr(rollbar, "send_payload", lambda payload, _token: sent.append(payload))
    rollbar.init("key", "test", handler="blocking", suppress_reinit_warning=True)

    def report(error):
        sent.clear()
        rollbar.report_exc_info((type(error), error, error.__traceback__))
        (payload,) = sent
        body = payload["data"]["body"]
        for one in body.get("trace_chain") or [body["trace"]]:
            one["frames"] = [frame for frame in one["frames"] if not _ours(frame["filename"])]
        return json.dumps(payload, ensure_ascii=False, default=repr)

    yield report


def python(error):
    """Python's own, with local variables."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown, left = [], [told]
    while left:
        one = left.pop()
        shown += [
            str(one),
            *(str(frame.locals) for frame in one.stack if not _ours(frame.filename)),
        ]
        left += [linked for linked in (one.__cause__, one.__context__) if linked is not None]
        left += one.exceptions or ()
    return "\n".join(shown)


def worst(error):
    """All that can be reached: hidden exceptions, every container, every kind of record; only objects are opaque."""
    shown = []
    for one in linked(error):
        shown += [str(one), repr(one), *_texts(one.args), *getattr(one, "__notes__", ())]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if not _ours(frame.f_code.co_filename):
                shown += _texts(frame.f_locals)
    return "\n".join(shown)


def linked(error):
    """An exception and all that hang on it, hidden ones too."""
    found, left = [], [error]
    while left:
        one = left.pop()
        if one is None or any(one is other for other in found):
            continue
        found.append(one)
        left += [one.__cause__, one.__context__]
        left += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return found


def _texts(value, depth=0):
    yield repr(value)
    if depth > 8:
        return
    inner = ()
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("latin-1")
    elif isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, Sequence | AbstractSet) and not isinstance(value, str):
        inner = list(value)
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, msgspec.Struct):
        inner = [getattr(value, name) for name in value.__struct_fields__]
    for one in inner:
        yield from _texts(one, depth + 1)


def _ours(filename):
    return filename.startswith(TESTS)
