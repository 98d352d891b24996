"""What holds for every client on every host.

A check is a coroutine function whose name begins with `check_`; `only_async_` ones need tasks that run side by side.
They know no test framework, because Pyodide runs them as well.
"""

from __future__ import annotations

import traceback

from conformance import check_clients, check_exchanges, check_limits, check_mcp

CHECKS = {
    name: value
    for module in (check_exchanges, check_limits, check_clients, check_mcp)
    for name, value in vars(module).items()
    if name.startswith(("check_", "only_async_"))
}


def names(kind):
    """List the checks for a kind of client."""
    return [name for name in CHECKS if kind == "async" or name.startswith("check_")]


async def run(host, name):
    """Run one check; give its failure as text, or None."""
    try:
        await CHECKS[name](host)
    except Exception:  # noqa: BLE001 - whatever it is, the check has failed
        return traceback.format_exc()
    return None
