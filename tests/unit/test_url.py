"""Base URLs, paths below them, and query strings."""

from __future__ import annotations

import enum
import posixpath
import time
from urllib.parse import parse_qsl, quote, unquote, urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.fakes import repickled

from archal_lambda import Request
from archal_lambda.core.url import BaseUrl, check_target, encode_params, is_loopback

BASE = "https://clone.test/github/api"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/user/repos", "/user/repos"),
        ("user/repos", "/user/repos"),
        ("", "/"),
        ("/", "/"),
        ("?a=1", "/?a=1"),
        ("/a/", "/a/"),
        ("/a//b", "/a//b"),
        ("/a?b=c&d=e", "/a?b=c&d=e"),
        ("/a?b=https://host/../x", "/a?b=https://host/../x"),
        ("/a?b?c", "/a?b?c"),
        ("/a b", "/a%20b"),
        ("/a?b c", "/a?b%20c"),
        ("/caf\xe9", "/caf%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/group%2Fproject", "/group%2Fproject"),
        ("/a%252Fb", "/a%252Fb"),
        ("/100%25", "/100%25"),
        ("/.github", "/.github"),
        ("/...", "/..."),
        ("/a..b/c..", "/a..b/c.."),
        ("/..a", "/..a"),
        ("/calendars/primary:clear", "/calendars/primary:clear"),
        ("/a;b=c", "/a;b=c"),
        ("/[a]", "/%5Ba%5D"),
        ('/"a"', "/%22a%22"),
    ],
)
def test_a_path_is_encoded_once(path, target):
    """What is encoded already stays as it is."""
    assert Request("GET", path).target == target


DOTS = [
    ".",
    "..",
    "%2e",
    "%2E",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%2e.",
    "%252e%252e",
    "%252E.",
    "%25252e%25252E",
]
REFUSED = {
    "absolute": [
        "https://evil.test/", "HTTP://evil.test", "https:evil", "javascript:x", "a+b.c-d:x", "//evil.test", "///a",
        "/%2fevil.test/", "/%2Fevil.test", "%2fevil.test", "%2f%2fevil.test", "/%252fevil.test", "/%25252Fevil.test",
    ],
    "dots": [
        *DOTS,
        *(f"/a/{dots}" for dots in DOTS),
        *(f"/a/{dots}/b" for dots in DOTS),
        *(f"{dots}/b?c=d" for dots in DOTS),
        "/a/..%2fb", "/a%2f..%2fb", "/a%2F%2e%2e%2Fb", "/a%252f..%252fb", "/a/%2e%2e%2f%2e%2e",
        "/a%25252f%25252e%25252e",
        "/%2f..", "/..?", "/a/..?b",
    ],
    "backslash": ["\\", "/a\\b", "/..\\x", "/a%5cb", "/a%5C..%5Cb", "/a%255cb", "/a%25255Cb"],
    "control": [
        "/a\x00b", "/a\nb", "/a\r\nHost: evil", "/a\tb", "/a\x7f", "/a\x85", "/a?b\n", "/a?\x00", "/a?b\x7f", "\n/a",
        "/a%00", "/a%0d%0aX:y", "/a%250a", "/a%7F", "/a%C2%85",
    ],
    "fragment": ["/a#b", "#", "/a?b#c", "//#"],
    "escape": ["/%", "/a%2", "/a%zz", "/a%%41", "/a?b=100%", "/a?b=%g0"],
    "depth": ["/%" + "25" * 40 + "41"],
}  # fmt: skip


@pytest.mark.parametrize("path", [path for paths in REFUSED.values() for path in paths])
def test_a_path_that_may_lead_out_is_refused(path):
    """Absolute URLs, `//`, dot segments, backslashes, controls, fragments and bad escapes, plain or encoded."""
    with pytest.raises(ValueError, match=r"^path "):
        Request("GET", path)


def test_a_path_encoded_over_and_over_is_refused_quickly():
    """A link of 64 kB does not use up the time budget."""
    started = time.perf_counter()
    with pytest.raises(ValueError, match="times over"):
        check_target("/%" + "25" * 32_000 + "41")
    assert time.perf_counter() - started < 0.1


PIECES = st.sampled_from(
    [
        *"ab.%/\\;:?&=+~ \xe9\n",
        "25",
        "2e",
        "2f",
        "5C",
        "..",
        "//",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "%25",
        "%00",
        "x:",
    ]
)
PATHS = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30)


def stages(text):
    """Every form a server can see that decodes as often as it likes."""
    yield text
    while (decoded := unquote(text)) != text:
        yield (text := decoded)


@given(PATHS)
@example("/%252e%252e/x")
@example("%25%32%65%252e")
@example("/a%2f%252e%2e%255c")
def test_what_is_accepted_stays_below_the_base(path):
    """A server may decode and normalise the path as often as it likes."""
    try:
        encoded, _ = check_target(path)
    except ValueError:
        return
    assert encoded.isascii()
    for form in stages(encoded):
        assert "\\" not in form
        assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in form)
        assert posixpath.normpath(f"/github/api{form}").startswith("/github/api")
        assert urljoin("https://clone.test/", form).startswith("https://clone.test/")
        assert not {".", ".."} & set(form.split("/"))


@given(
    st.sampled_from(["/a/../b", "/..", "/./a", "/a/.", "//evil.test", "/a\\b", "/a\x00", "/\n"]),
    st.data(),
)
def test_no_encoding_hides_what_is_refused(path, data):
    """Any characters may be encoded, and each any number of times."""
    hidden = ""
    for char in path:
        for _ in range(data.draw(st.integers(0, 5))):
            char = char.replace("%", "%25") if "%" in char else f"%{ord(char):02x}"  # noqa: PLW2901
        hidden += char
    with pytest.raises(ValueError, match=r"^path "):
        check_target(hidden)


@given(PATHS)
def test_checking_twice_changes_nothing(path):
    try:
        encoded, query = check_target(path)
    except ValueError:
        return
    assert check_target(f"{encoded}?{query}") == (encoded, query)


@given(st.text(max_size=20))
def test_quoting_a_segment_keeps_it(name):
    """A name quoted by the caller reaches the server as that name, if it is allowed at all."""
    try:
        encoded, _ = check_target(f"/repos/{quote(name, safe='')}")
    except ValueError:
        return
    assert unquote(encoded) == f"/repos/{name}"


@pytest.mark.parametrize(
    ("url", "shown", "port"),
    [
        ("https://host", "https://host", 443),
        ("https://host/", "https://host", 443),
        ("HTTPS://HOST/Path", "https://host/Path", 443),
        ("https://host:443/a", "https://host/a", 443),
        ("https://host:8443/a/", "https://host:8443/a", 8443),
        ("https://host./a", "https://host./a", 443),
        ("https://ses_1-x.clones.test/a", "https://ses_1-x.clones.test/a", 443),
        ("https://[::1]:8443/a", "https://[::1]:8443/a", 8443),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a", 443),
        ("http://localhost:80/a", "http://localhost/a", 80),
        ("http://127.0.0.1:4010/runtime/x", "http://127.0.0.1:4010/runtime/x", 4010),
        ("http://127.9.9.9", "http://127.9.9.9", 80),
        ("http://[::1]:4010", "http://[::1]:4010", 4010),
        ("https://host/a%20b", "https://host/a%20b", 443),
    ],
)
def test_a_base_url_loses_default_port_and_trailing_slash(url, shown, port):
    base = BaseUrl(url)
    assert (str(base), base.port) == (shown, port)
    assert repr(base) == f"BaseUrl({shown!r})"
    assert base.origin == shown.partition(base.path)[0] if base.path else shown
    assert base == BaseUrl(shown) == repickled(base)
    assert hash(base) == hash(BaseUrl(shown))
    assert base != shown


BAD_BASES = {
    "must be an https URL with a host": [
        "", "host", "/path", "//host", "ftp://host", "https:", "https://", "https:///path", "https://:443", "https://-a",
        "https://a-", "https://a..b:0", "https://host:0", "https://%68ost", "https://ho,st", "file:///etc", "wss://host",
    ],
    "must be https; plain http is for loopback only": [
        "http://host", "http://127.evil.com", "http://127.a.b.evil", "http://localhost.evil.com", "http://127.0.0.1.evil.com",
        "http://127.1", "http://0.0.0.0", "http://10.0.0.1", "http://[::2]", "http://[::ffff:127.0.0.1]", "http://127.0.0.1.",
        "http://localhost.", "http://notlocalhost", "http://1270.0.0.1",
    ],
    "must not contain user info": [
        "https://user@host", "https://user:password@host", "https://@host", "https://a@b@host", "http://127.0.0.1@evil.com",
    ],
    "must not contain a query or fragment": ["https://host?", "https://host/a?b=c", "https://host#", "https://host/a#b"],
    "must be a URL with a valid host and port": [
        "https://host:port", "https://host:99999", "https://host:-1", "https://[::1", "https://[zz]", "https://host:4_4",
        "http://[::1].evil.com", "https://[::1]8443",
    ],
    "must not contain spaces, backslashes, control or non-ASCII": [
        " https://host", "https://host ", "https://ho st", "https://host\\evil", "https://host\n", "https://h\x00st", "https://h\xf6st",
        "https://host/\u2603", "https://exa\u2100mple.com", "https://\uff48ost",
    ],
    "must not contain": ["https://host/a%00", "https://host/a/../b", "https://host/%2e%2e", "https://host/a%5cb"],
    "must be relative": ["https://host//a"],
    "must not start with": ["https://host/%2fa"],
    "percent sign": ["https://host/%", "https://host/a%zz"],
    "must be a string": [None, 5, b"https://host", {"url": "https://host"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "url"), [(reason, url) for reason, urls in BAD_BASES.items() for url in urls]
)
def test_a_bad_base_url_is_refused(reason, url):
    """The error says what is wrong and never shows the URL."""
    with pytest.raises(ValueError, match=reason) as caught:
        BaseUrl(url)
    assert not isinstance(url, str) or len(url) < 9 or url not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@given(
    st.text(st.characters(max_codepoint=0x17F), max_size=12),
    st.sampled_from(["https://", "http://", ""]),
)
def test_any_base_url_is_a_value_or_a_value_error(rest, scheme):
    """Plain http is accepted on loopback only."""
    try:
        base = BaseUrl(scheme + rest)
    except ValueError:
        return
    assert base.scheme == "https" or is_loopback(base.host)
    assert BaseUrl(str(base)) == base


@pytest.mark.parametrize(
    ("base", "url", "relative"),
    [
        (BASE, "https://clone.test/github/api/user?page=2", "/user?page=2"),
        (BASE, "/github/api/user?page=2", "/user?page=2"),
        (BASE, "https://api.github.com/user?page=2", "/user?page=2"),
        (BASE, "https://evil.test/github/api/user", "/user"),
        (BASE, "https://user:password@evil.test/user#frag", "/user"),
        (BASE, "//evil.test/user", "/user"),
        (BASE, "/github/apifoo", "/github/apifoo"),
        (BASE, "https://clone.test/github/api", ""),
        (BASE, "https://clone.test/github/api?page=2", "?page=2"),
        ("https://clone.test", "https://clone.test/user?page=2", "/user?page=2"),
    ],
)
def test_an_address_of_the_clone_becomes_relative(base, url, relative):
    """Only path and query of a link are used. Its host does not matter."""
    assert BaseUrl(base).relative(url) == relative


@pytest.mark.parametrize(
    "url",
    [
        "https://clone.test/github/api//evil.test/",
        "https://x.test/a/../b",
        "/a/%2e%2e/b",
        "https://[x/a",
        "/a\\b",
        "https://x.test//y",
    ],
)
def test_an_address_that_leads_out_is_refused(url):
    """The rules for paths hold for links too."""
    with pytest.raises(ValueError, match=r"^path |Invalid IPv6"):
        BaseUrl(BASE).relative(url)


class Sort(enum.StrEnum):
    NEWEST = "newest first"


class State(str, enum.Enum):  # noqa: UP042 - this is what users still have
    OPEN = "open"


class Page(enum.Enum):
    SECOND = 2


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"a": "b"}, "a=b"),
        ({"a": 1, "b": 2.5, "c": -3}, "a=1&b=2.5&c=-3"),
        ({"a": True, "b": False}, "a=true&b=false"),
        ({"a": None, "b": "x"}, "b=x"),
        ({"a": ["x", None, "y"]}, "a=x&a=y"),
        ({"a": ("x", 1, True)}, "a=x&a=1&a=true"),
        ({"a": []}, ""),
        ({"a": ""}, "a="),
        ([("a", 1), ("b", 2), ("a", 3)], "a=1&b=2&a=3"),
        (iter([("a", 1)]), "a=1"),
        ({"a b": "c d"}, "a%20b=c%20d"),
        ({"q": "a&b=c+d/e%20\u2603"}, "q=a%26b%3Dc%2Bd%2Fe%2520%E2%98%83"),
        ({"s": Sort.NEWEST, "t": State.OPEN, "p": Page.SECOND}, "s=newest%20first&t=open&p=2"),
    ],
)  # fmt: skip
def test_params_become_a_query(params, text):
    """Lists repeat their key, None is left out, booleans are words, enums are their values."""
    assert encode_params(params) == text


@pytest.mark.parametrize("value", [{"b": "c"}, [["x"]], b"bytes", {1, 2}, object(), 1j, [{"a": 1}]])
def test_a_value_that_is_not_a_scalar_is_refused(value):
    """The error names the key and does not show the value."""
    with pytest.raises(
        TypeError, match=r"form\['key'\] must be a string, number or boolean"
    ) as caught:
        encode_params({"key": value}, what="form")
    assert repr(value) not in str(caught.value)


@pytest.mark.parametrize("params", ["a=b", [("a",)], [("a", "b", "c")]])
def test_params_that_are_not_pairs_are_refused(params):
    """A query string belongs in the path."""
    with pytest.raises(TypeError, match=r"^params must be a mapping, or pairs"):
        encode_params(params)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXT | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(TEXT, SCALARS | st.none() | st.lists(SCALARS, max_size=3))))
def test_params_round_trip(pairs):
    expected = [
        (key, str(one).lower() if isinstance(one, bool) else str(one))
        for key, value in pairs
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    text = encode_params(pairs)
    assert parse_qsl(text, keep_blank_values=True) == expected
    assert text.isascii()
    assert " " not in text


@given(st.dictionaries(TEXT, TEXT))
def test_a_query_survives_the_request(params):
    """Parameters come after those in the path."""
    request = Request("GET", "/a?first=1", params=params)
    _, _, query = request.target.partition("?")
    assert parse_qsl(query, keep_blank_values=True) == [("first", "1"), *params.items()]
