"""How a synchronous client sends, waits and does several things at once on this host.

This module owns that choice. It must not load the parts of another host: urllib3 costs a Worker more than all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.core.host import on_emscripten

if TYPE_CHECKING or not on_emscripten():
    from time import sleep

    from archal_lambda.transports._pool import side_by_side
    from archal_lambda.transports._urllib3 import UrllibTransport as BlockingTransport
else:
    from archal_lambda.transports._jspi import JspiTransport as BlockingTransport
    from archal_lambda.transports._jspi import side_by_side, sleep

__all__ = ["BlockingTransport", "side_by_side", "sleep"]
