"""What kind of host this is.

This module owns that one question. It must not load anything to answer it.
"""

from __future__ import annotations

import sys

__all__ = ["on_emscripten"]


def on_emscripten() -> bool:
    """Tell whether this is Pyodide, where there are no threads and no sockets.

    Returns:
        True in Pyodide and Cloudflare Python Workers.
    """
    # Not ==, which type checkers take for a reason to look away.
    return "emscripten" in sys.platform
