"""Responses in the form in which well-known servers and services send them, shortened."""

from __future__ import annotations

import gzip
import zlib

BODY = b'{"id":1,"name":"hello","private":false}'


def whole(*lines, body=BODY):
    """Make a response of lines, and a body as it stands."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


RESPONSES = {
    "GitHub": whole(
        "HTTP/1.1 200 OK",
        "Date: Tue, 14 Jan 2025 09:12:44 GMT",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(BODY)}",
        "Cache-Control: private, max-age=60, s-maxage=60",
        "Vary: Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
        'ETag: W/"6d3e2f0c1b"',
        "X-GitHub-Media-Type: github.v3; format=json",
        'Link: <https://api.github.com/repositories/1/issues?page=2>; rel="next"',
        "X-RateLimit-Remaining: 4994",
        "Access-Control-Expose-Headers: ETag, Link, Location, Retry-After, X-GitHub-OTP",
        "Content-Security-Policy: default-src 'none'",
        "Server: github.com",
        "X-GitHub-Request-Id: C0DE:2A3B:1F:2C:67862A1C",
    ),
    "Slack": whole(
        "HTTP/1.1 200 OK",
        "date: Tue, 14 Jan 2025 09:12:44 GMT",
        "server: Apache",
        "vary: Accept-Encoding",
        "x-slack-req-id: 0f1e2d3c4b5a",
        "x-xss-protection: 0",
        "pragma: no-cache",
        "set-cookie: b=.0f1e; expires=Thu, 14-Jan-2027 09:12:44 GMT; path=/; domain=.slack.com",
        "set-cookie: x=0f1e.1; expires=Tue, 14-Jan-2025 09:27:44 GMT; path=/; SameSite=None",
        "content-type: application/json; charset=utf-8",
        "via: 1.1 slack-prod.tinyspeck.com, envoy-www-iad, envoy-edge-iad",
        "transfer-encoding: chunked",
        body=b"27\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    "nginx": whole(
        "HTTP/1.1 301 Moved Permanently",
        "Server: nginx/1.24.0 (Ubuntu)",
        "Content-Type: text/html",
        "Content-Length: 6",
        "Connection: keep-alive",
        "Location: https://example.com/",
        body=b"<html>",
    ),
    "nginx, coded": whole(
        "HTTP/1.1 200 OK",
        "Server: nginx",
        "Transfer-Encoding: chunked",
        "Connection: keep-alive",
        "Content-Encoding: gzip",
        body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(gzip.compress(BODY)), gzip.compress(BODY)),
    ),
    "IIS, coded": whole(
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "Content-Encoding: deflate",
        f"Content-Length: {len(zlib.compress(BODY, wbits=-15))}",
        "X-Powered-By: ASP.NET",
        body=zlib.compress(BODY, wbits=-15),
    ),
    "uvicorn": whole(
        "HTTP/1.1 401 Unauthorized",
        "date: Tue, 14 Jan 2025 09:12:44 GMT",
        "server: uvicorn",
        "www-authenticate: Bearer",
        f"content-length: {len(BODY)}",
        "content-type: application/json",
    ),
    "Node": whole(
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "Trailer: Server-Timing",
        "Date: Tue, 14 Jan 2025 09:12:44 GMT",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Transfer-Encoding: chunked",
        body=b"5\r\n"
        + BODY[:5]
        + b"\r\n22\r\n"
        + BODY[5:]
        + b"\r\n0\r\nServer-Timing: app;dur=5\r\n\r\n",
    ),
    "Python's http.server": whole(
        "HTTP/1.0 200 OK",
        "Server: BaseHTTP/0.6 Python/3.11.7",
        "Date: Tue, 14 Jan 2025 09:12:44 GMT",
        "Content-type: text/html",
    ),
    "Apache, kept alive": whole(
        "HTTP/1.0 200 OK",
        "Server: Apache/2.4.58 (Unix)",
        f"Content-Length: {len(BODY)}",
        "Connection: Keep-Alive",
    ),
    "an early hint": whole("HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload", body=b"")
    + whole("HTTP/1.1 200 OK", f"Content-Length: {len(BODY)}"),
    "a proxy that goes on": whole("HTTP/1.1 100 Continue", body=b"")
    + whole("HTTP/1.1 502 Bad Gateway", "Server: awselb/2.0", "Content-Length: 0", body=b""),
    "Tomcat, without a reason": whole("HTTP/1.1 204 ", "Keep-Alive: timeout=20", body=b""),
    "an old CGI, folded": whole(
        "HTTP/1.1 200 OK",
        "X-Long: one,\r\n\ttwo,\r\n   three",
        "Connection: close",
        "Content-Type: text/plain",
    ),
}
