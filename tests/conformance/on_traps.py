"""What goes wrong on this host if nobody takes care; run with the collector at hand."""

from __future__ import annotations

import asyncio
import gc
import json
import traceback

import js
from pyodide.ffi import create_proxy

import archal_lambda as archal
from archal_lambda import Request, Settings, errors

ROUTE = "arch" + "al_" + "RouteToken" * 3


def tell(name, failure):
    print(json.dumps({"name": name, "failure": failure}), flush=True)  # noqa: T201 - read by the test


def settings(host, **fields):
    return Settings(clone_urls={"svc": f"{host['origin']}/svc/api"}, token=ROUTE, **fields)


def said_by(error, call):
    try:
        call()
    except error as caught:
        return str(caught)
    raise AssertionError(f"no {error.__name__}")


async def where_they_cannot_wait_synchronous_clients_say_so(host):
    clones = archal.Clones(settings(host))
    for call in (
        lambda: clones["svc"].get("/echo/key"),
        lambda: clones.gather([("svc", Request("GET", "/echo/key"))]),
        archal.ArchalClient(settings(host)).sessions.list,
    ):
        # Python cannot be suspended below a function of JavaScript, whatever else the host can do.
        said = []
        below = create_proxy(
            lambda call=call, said=said: said.append(said_by(errors.ConfigurationError, call))
        )
        js.eval("(function_) => function_()")(below)
        below.destroy()
        assert "use AsyncClones" in said[0]


async def a_ca_file_is_refused(host):
    for client in ("Clones", "ArchalClient", "AsyncClones", "AsyncArchalClient"):
        make = getattr(archal, client)
        said = said_by(
            errors.ConfigurationError, lambda make=make: make(settings(host, ca_file="/x"))
        )
        assert said.startswith("SSL_CERT_FILE")


async def what_fetch_cannot_send_is_refused(host):
    svc = archal.AsyncClones(settings(host))["svc"]
    for options, error in (({"content": b"x"}, ValueError), ({"content": iter([b"x"])}, TypeError)):
        try:
            await svc.get("/echo/unsendable", **options)
        except error:
            continue
        raise AssertionError(f"no {error.__name__}")
    assert (await svc.get("/seen/unsendable")).json() == []


async def limits_outlive_the_collector(host):
    svc = archal.AsyncClones(settings(host), timeout=archal.Timeout(0.6, read=30.0))["svc"]
    call = asyncio.ensure_future(svc.get("/drip/collected"))
    for _ in range(8):
        await asyncio.sleep(0.05)
        gc.collect()
        js.gc()
    try:
        await asyncio.wait_for(call, 8)
    except errors.RequestTimeout:
        return
    raise AssertionError("no RequestTimeout")


TRAPS = [
    where_they_cannot_wait_synchronous_clients_say_so,
    a_ca_file_is_refused,
    what_fetch_cannot_send_is_refused,
    limits_outlive_the_collector,
]


async def main(given):
    """Run into every trap."""
    host = json.loads(given)
    for trap in TRAPS:
        try:
            await trap(host)
        except Exception:  # noqa: BLE001 - whatever it is, the test has failed
            tell(trap.__name__, traceback.format_exc())
        else:
            tell(trap.__name__, None)
