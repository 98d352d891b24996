"""What the package is compared with, each client used as its documentation recommends.

Each function takes a `Site` and gives a function that makes one typed, route-authorized POST. It imports its client
itself, so that no process pays for another's modules.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import io
import json
import socket
import ssl
import threading

# Dummies, put together at run time so that no scanner takes them for a leak.
TOKEN = "gh" + "p_" + "ServiceToken" * 3
ROUTE = "arch" + "al_" + "RouteToken" * 3
NEW = {"name": "measured", "description": "A repository to measure with.", "private": True}
WIDEST = 256  # most calls under way at once


@dataclasses.dataclass(frozen=True)
class Site:
    """Where the calls go.

    Args:
        origin: Scheme, host and port.
        ca_file: The CA to trust.
        timeout: Seconds for a call.
    """

    origin: str
    ca_file: str | None
    timeout: float

    @property
    def base(self):
        return f"{self.origin}/svc/api"

    @property
    def context(self):
        return ssl.create_default_context(cafile=self.ca_file)

    @functools.cached_property
    def headers(self):
        return {
            "x-route-authorization": f"Bearer {ROUTE}",
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
        }


@dataclasses.dataclass(slots=True)
class Repo:
    """What an answer lists."""

    id: int
    full_name: str
    html_url: str
    private: bool
    description: str


@dataclasses.dataclass(slots=True)
class Page:
    """An answer."""

    items: list[Repo]


def typed(body):
    """Turn decoded JSON into objects, without any of the checks that msgspec makes."""
    return Page([Repo(**item) for item in body["items"]])


def page_struct():
    """Make the same types for msgspec, which checks them."""
    import msgspec

    fields = [("id", int), ("full_name", str), ("html_url", str)]
    repo = msgspec.defstruct("Repo", [*fields, ("private", bool), ("description", str)])
    return msgspec.defstruct("Page", [("items", list[repo])])


def http_client(site):
    """The floor: nothing beside the standard library's connection and msgspec."""
    from http.client import HTTPConnection, HTTPSConnection

    import msgspec

    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(page_struct()).decode
    scheme, _, netloc = site.origin.partition("://")
    context, local = site.context if scheme == "https" else None, threading.local()

    def connect():
        if context is None:
            return HTTPConnection(netloc, timeout=site.timeout)
        return HTTPSConnection(netloc, timeout=site.timeout, context=context)

    def call(path, content=None):
        if not hasattr(local, "connection"):
            local.connection = connect()
        body = encode(NEW) if content is None else content
        local.connection.request("POST", f"/svc/api{path}", body, site.headers)
        answer = local.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise OSError(answer.status)
        return decode(data)

    return call


def urllib3_pool(site):
    import urllib3

    pool = urllib3.PoolManager(
        maxsize=WIDEST,
        ca_certs=site.ca_file,
        retries=False,
        timeout=urllib3.Timeout(total=site.timeout),
    )

    def call(path, content=None):
        body = json.dumps(NEW) if content is None else content
        answer = pool.request("POST", site.base + path, body=body, headers=site.headers)
        if answer.status != 200:
            raise OSError(answer.status)
        return typed(answer.json())

    return call


def urllib_request(site):
    """It opens a connection for each call."""
    from urllib.request import Request, urlopen

    context = site.context

    def call(path, content=None):
        body = json.dumps(NEW).encode() if content is None else content
        request = Request(site.base + path, body, site.headers, method="POST")  # noqa: S310 - our own address
        with urlopen(request, timeout=site.timeout, context=context) as answer:  # noqa: S310 - the same
            return typed(json.load(answer))

    return call


def requests(site):
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("http", HTTPAdapter(pool_maxsize=WIDEST))
    # Given with each call: a session's own CA loses against REQUESTS_CA_BUNDLE.
    common = {"headers": site.headers, "timeout": site.timeout, "verify": site.ca_file or True}

    def call(path, content=None):
        body = {"json": NEW} if content is None else {"data": content}
        answer = session.post(site.base + path, **common, **body)
        answer.raise_for_status()
        return typed(answer.json())

    return call


def httpx(site):
    import httpx

    client = httpx.Client(verify=site.context, timeout=site.timeout)

    def call(path, content=None):
        body = {"json": NEW} if content is None else {"content": content}
        answer = client.post(site.base + path, headers=site.headers, **body)
        return typed(answer.raise_for_status().json())

    return call


def aiohttp(site):
    import aiohttp

    sessions, context = [], site.context

    async def call(path, content=None):
        if not sessions:  # it wants a running loop
            timeout = aiohttp.ClientTimeout(total=site.timeout)
            connector = aiohttp.TCPConnector(ssl=context, limit=WIDEST)
            sessions.append(aiohttp.ClientSession(timeout=timeout, connector=connector))
        body = {"json": NEW} if content is None else {"data": content}
        async with sessions[0].post(site.base + path, headers=site.headers, **body) as answer:
            answer.raise_for_status()
            return typed(await answer.json())

    return call


def boto3(site):
    """The HTTP session below boto3, without the signing and the models above it."""
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session

    session = URLLib3Session(
        verify=site.ca_file or True,
        timeout=site.timeout,
        max_pool_connections=WIDEST,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # as botocore's clients do
    )

    def call(path, content=None):
        body = json.dumps(NEW) if content is None else content
        request = AWSRequest("POST", site.base + path, site.headers, body)
        answer = session.send(request.prepare())
        if answer.status_code != 200:
            raise OSError(answer.status_code)
        return typed(json.loads(answer.content))

    return call


def pycurl(site):
    local = threading.local()

    def call(path, content=None):
        if not hasattr(local, "curl"):
            local.curl = curl_handle(site)
        curl = curl_prepared(local.curl, site, path, content)
        return curl_result(curl, curl.perform_rb())

    return call


def pycurl_multi(site):
    """Make many calls at once on one thread, by libcurl's multi interface."""
    import pycurl

    multi, handles = pycurl.CurlMulti(), []
    multi.setopt(pycurl.M_MAXCONNECTS, WIDEST)

    def gather(path, count):
        handles.extend(curl_handle(site) for _ in range(count - len(handles)))
        bodies = [io.BytesIO() for _ in range(count)]
        for handle, body in zip(handles, bodies, strict=False):
            curl_prepared(handle, site, path).setopt(pycurl.WRITEDATA, body)
            multi.add_handle(handle)
        running = count
        while running:
            _, running = multi.perform()
            if running:
                multi.select(1.0)
        for handle in handles[:count]:
            multi.remove_handle(handle)
        return [
            curl_result(handle, body.getvalue())
            for handle, body in zip(handles, bodies, strict=False)
        ]

    return gather


def curl_handle(site):
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.TIMEOUT_MS, round(site.timeout * 1000))
    if site.ca_file:
        curl.setopt(pycurl.CAINFO, site.ca_file)
    return curl


def curl_prepared(curl, site, path, content=None):
    body = json.dumps(NEW) if content is None else content
    curl.setopt(curl.URL, site.base + path)
    # Without the last one it would wait a second for leave to send a large body.
    fields = [f"{name}: {value}" for name, value in site.headers.items()]
    curl.setopt(curl.HTTPHEADER, [*fields, "Expect:"])
    curl.setopt(curl.POSTFIELDS, body)
    return curl


def curl_result(curl, data):
    if curl.getinfo(curl.RESPONSE_CODE) != 200:
        raise OSError(curl.getinfo(curl.RESPONSE_CODE))
    return typed(json.loads(data))


def pyreqwest(site):
    from pathlib import Path

    from pyreqwest.client import SyncClientBuilder

    builder = SyncClientBuilder().timeout(dt.timedelta(seconds=site.timeout))
    if site.ca_file:
        builder = builder.add_root_certificate_pem(Path(site.ca_file).read_bytes())
    client = builder.error_for_status(enable=True).build()

    def call(path, content=None):
        request = client.post(site.base + path).headers(site.headers)
        request = request.body_json(NEW) if content is None else request.body_bytes(content)
        return typed(request.build().send().json())

    return call


def pyreqwest_aio(site):
    from pathlib import Path

    from pyreqwest.client import ClientBuilder

    clients, ca_pem = [], Path(site.ca_file).read_bytes() if site.ca_file else None

    async def call(path, content=None):
        if not clients:  # it wants a running loop
            builder = ClientBuilder().timeout(dt.timedelta(seconds=site.timeout))
            if ca_pem:
                builder = builder.add_root_certificate_pem(ca_pem)
            clients.append(builder.error_for_status(enable=True).build())
        request = clients[0].post(site.base + path).headers(site.headers)
        request = request.body_json(NEW) if content is None else request.body_bytes(content)
        return typed(await (await request.build().send()).json())

    return call
