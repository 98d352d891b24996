from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

class JsException(Exception):  # noqa: N818 - its name
    name: str

def can_run_sync() -> bool: ...
def run_sync(awaitable: Awaitable[_T]) -> _T: ...
def to_js(value: object, *, dict_converter: Callable[[Any], Any] | None = None) -> Any: ...
