"""Settings that are read from what was written, and never show what they hold."""

from __future__ import annotations

import json
import traceback

from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import ConfigurationError, Settings

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
PATHS = st.from_regex(r"(/[a-z0-9_~-]{1,8}){0,3}", fullmatch=True)
URLS = st.builds("https://{}.test:{}{}".format, LABELS, st.integers(1, 65535), PATHS)
SESSIONS = st.from_regex(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,12}", fullmatch=True)
PLAIN = st.text([chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=20)
ROUTES = st.dictionaries(LABELS.map("x-{}".format), PLAIN, max_size=3)
TOKENS = PLAIN | st.just("token")

SETTINGS = st.builds(
    Settings,
    session_id=st.none() | SESSIONS,
    clone_urls=st.dictionaries(LABELS, URLS, max_size=3),
    route_headers=ROUTES,
    token=st.none() | TOKENS,
    api_url=st.none() | URLS,
    runtime_url=st.none() | URLS,
    ca_file=st.none() | PLAIN,
)


@given(SETTINGS)
def test_what_is_written_is_read_again(settings):
    written = settings.variables()
    read = Settings.from_env(written)
    assert read.variables() == written
    assert read.clone_urls == settings.clone_urls
    assert read.route_headers == settings.route_headers
    assert (read.session_id, read.token, read.ca_file) == (
        settings.session_id,
        settings.token,
        settings.ca_file,
    )
    assert (read.api_url, read.runtime_url) == (settings.api_url, settings.runtime_url)


@given(
    st.dictionaries(LABELS, URLS, min_size=1, max_size=3),
    st.dictionaries(LABELS, URLS, max_size=3),
)
def test_one_object_wins_over_single_variables(together, single):
    """`AGENT_CLONE_URLS` comes first, then `ARCHAL_<CLONE>_REST_URL`, in any order of the environment."""
    env = {
        f"ARCHAL_{clone.upper().replace('-', '_')}_REST_URL": url for clone, url in single.items()
    }
    env["AGENT_CLONE_URLS"] = json.dumps(together)
    settings = Settings.from_env(env)
    assert {clone: str(url) for clone, url in settings.clone_urls.items()} == {
        clone: str(Settings(clone_urls={clone: url}).clone_urls[clone])
        for clone, url in (single | together).items()
    }


SECRET = "sesame" + "-2718281828"
AROUND = st.text(max_size=6) | st.sampled_from(
    ['{"a": "', '"}', "{", "[", "https://", "@h", "\n", "\0", "://", "Bearer ", "?", '{"x-a":{"'],
)
VARIABLES = st.sampled_from([
    "AGENT_CLONE_URLS", "AGENT_ROUTE_HEADERS", "AGENT_SESSION_ID", "ARCHAL_A_REST_URL", "ARCHAL_LAMBDA_API_URL",
    "ARCHAL_LAMBDA_RUNTIME_URL", "ARCHAL_SESSION_ID", "ARCHAL_TOKEN", "ARCHAL_TOKEN_SECRET",
    "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
])  # fmt: skip


@given(st.dictionaries(VARIABLES, st.builds("{}{}{}".format, AROUND, st.just(SECRET), AROUND)))
def test_no_error_shows_a_value(env):
    """A secret may have been put anywhere by mistake."""
    try:
        shown = repr(Settings.from_env(env))
    except ConfigurationError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error)
    assert SECRET not in shown
