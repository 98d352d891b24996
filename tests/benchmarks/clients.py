"""The package as a client, in its variants, and the list of all clients.

Each function takes a `Site` and gives a function that makes one typed, route-authorized POST.
"""

from __future__ import annotations

import peers
from peers import NEW, ROUTE, TOKEN, page_struct


def archal(site, **options):
    call, _ = _archal(site, **options)
    return call


def archal_noop(site):
    return archal(site, on_call=lambda record: None)


def archal_logged(site):
    from aws_lambda_powertools import Logger, Metrics

    from archal_lambda.powertools import log_calls

    return archal(site, on_call=log_calls(Logger(service="bench"), Metrics(namespace="Bench")))


def archal_gather(site):
    """Make many calls at once the way the package offers it."""
    from archal_lambda import Request

    _, clones = _archal(site)
    page = page_struct()

    def gather(path, count):
        calls = [("svc", Request("POST", path, json=NEW, token=TOKEN)) for _ in range(count)]
        answers = clones.gather(calls, max_concurrency=count)
        return [answer.raise_for_status().decode(page) for answer in answers]

    return gather


def _archal(site, **options):
    from archal_lambda import Clones, Settings

    settings = Settings(clone_urls={"svc": site.base}, token=ROUTE, ca_file=site.ca_file)
    clones = Clones(settings, timeout=site.timeout, **options)
    clone, page = clones["svc"], page_struct()

    def call(path, content=None):
        body = {"json": NEW} if content is None else {"content": content}
        return clone.post(path, token=TOKEN, **body).raise_for_status().decode(page)

    return call, clones


def archal_aio(site):
    from archal_lambda import AsyncClones, Settings

    settings = Settings(clone_urls={"svc": site.base}, token=ROUTE, ca_file=site.ca_file)
    clone, page = AsyncClones(settings, timeout=site.timeout)["svc"], page_struct()

    async def call(path, content=None):
        body = {"json": NEW} if content is None else {"content": content}
        response = await clone.post(path, token=TOKEN, **body)
        return response.raise_for_status().decode(page)

    return call


# In the order of the tables. An asynchronous one gives functions to await.
CLIENTS = {
    "archal_lambda": archal,
    "archal_lambda.aio": archal_aio,
    "on_call hook": archal_noop,
    "log_calls hook": archal_logged,
    "http.client + msgspec": peers.http_client,
    "urllib3 + json": peers.urllib3_pool,
    "urllib.request": peers.urllib_request,
    "requests": peers.requests,
    "httpx": peers.httpx,
    "aiohttp": peers.aiohttp,
    "boto3's session": peers.boto3,
    "pycurl": peers.pycurl,
    "pyreqwest": peers.pyreqwest,
    "pyreqwest.aio": peers.pyreqwest_aio,
}
# What makes many calls at once on one thread; the others are given threads.
GATHER = {"archal_lambda": archal_gather, "pycurl": peers.pycurl_multi}
