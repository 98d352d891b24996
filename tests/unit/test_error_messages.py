"""What an error of a status, or of a shape, says of the response behind it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import DecodeError, Request, Response, errors

KEY = "sk_" + "test_4eC39Hq"  # put together at run time, so that no scanner takes it for a leak
CALL = Request("POST", "/user/repos?q=hidden", json={})
TOKEN = "gh" + "p_" + "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRr"


def failure(status, body, **options):
    with pytest.raises(errors.StatusError) as caught:
        Response(status, json=body, request=CALL, **options).raise_for_status()
    return caught.value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        # GitHub.
        ({"message": "Validation Failed", "documentation_url": "u"}, ": Validation Failed"),
        (
            {"message": "Validation Failed", "errors": [
                {"resource": "Issue", "field": "title", "code": "missing_field", "value": "hidden"},
                {"resource": "Repo", "code": "custom", "message": "hidden"},
            ]},
            ": Validation Failed (title: missing_field, custom)",
        ),
        # Stripe, Google, Slack, GitLab, OAuth, Discord, Sentry, Jira, Linear, Supabase.
        ({"error": {"message": "No such customer: 'cus_hidden'", "type": "t"}}, ": No such customer: \u2026"),
        ({"error": {"message": f"Invalid API Key provided: {KEY}"}}, ": Invalid API Key provided: \u2026"),
        ({"error": {"code": 403, "message": "The caller may not do this"}}, ": The caller may not do this"),
        ({"ok": False, "error": "channel_not_found"}, ": channel_not_found"),
        ({"error": "404 Not Found"}, ": 404 Not Found"),
        ({"error": "invalid_grant", "error_description": "Bad Request"}, ": Bad Request"),
        ({"message": "Unknown Channel", "code": 10003}, ": Unknown Channel"),
        ({"detail": "You don't have permission to do this."}, ": You don't have permission to do this."),
        ({"errorMessages": ["Issue does not exist"], "errors": {}}, ": Issue does not exist"),
        ({"errors": [{"message": "Entity not found", "extensions": {"code": "hidden"}}]}, ": Entity not found"),
        ({"code": "PGRST116", "message": "JSON object requested"}, ": JSON object requested"),
        ({"msg": "User already registered"}, ": User already registered"),
        # With a code of the envelope.
        ({"error": "bad_request", "code": "bad_field", "message": "Not that"}, " (bad_field): Not that"),
        # One line of limited length, of words alone.
        ({"message": "first\r\nhidden"}, ": first"),
        ({"message": f"bad token {TOKEN} here"}, ": bad token \u2026 here"),
        ({"message": "see https://x.test/?key=hidden now"}, ": see \u2026 now"),
        ({"message": "mail \x1b[31mhidden\x07 to"}, ": mail \u2026 to"),
        ({"message": "'hidden one' is \"hidden too\", it can't be"}, ": \u2026 is \u2026 it can't be"),
        ({"message": "hunter2hunter2"}, ""),
        ({"message": TOKEN}, ""),
        ({"message": 5, "error": None, "errors": "x", "errorMessages": []}, ""),
        ({"errors": [None, 5, {"code": 5}, {"code": TOKEN, "field": "a"}]}, ""),
        ([{"message": "hidden"}], ""),
        ("hidden", ""),
    ],
)  # fmt: skip
def test_a_status_error_carries_the_services_own_words(body, said):
    """Values of fields, and what may be a credential, are left out."""
    error = failure(422, body)
    assert str(error) == f"POST /user/repos: status 422{said}"
    assert "hidden" not in str(error)


def test_the_words_are_limited():
    text = str(failure(422, {"message": "word " * 10_000}))
    assert len(text) < 240
    assert text.endswith("word\u2026")


@given(st.text(max_size=300))
def test_any_message_makes_one_printable_line(message):
    shown = Response(422, json={"message": message}).error_message
    assert shown.isprintable()
    assert len(shown) <= 161


ALPHABET = st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"])


@given(st.text(ALPHABET, min_size=24, max_size=80), st.sampled_from("\"'(<[:; "))
def test_no_long_word_is_shown(word, mark):
    """Whatever stands around it."""
    assert (
        word not in Response(400, json={"message": f"Bad {mark}{word}{mark} given"}).error_message
    )


def limit(reset="1792567740", *, left="0", date="Wed, 21 Oct 2026 07:28:00 GMT", **more):
    """Make GitHub's headers of a limit; it is lifted a minute later."""
    fields = {"x-ratelimit-remaining": left, "x-ratelimit-reset": reset, "date": date}
    return {name: value for name, value in fields.items() if value} | more


@pytest.mark.parametrize(
    ("status", "message", "headers", "cls", "seconds"),
    [
        (403, "API rate limit exceeded", limit(), errors.RateLimitError, 60.0),
        (403, "Forbidden", limit(), errors.RateLimitError, 60.0),
        (403, "Forbidden", limit(**{"retry-after": "7"}), errors.RateLimitError, 7.0),
        (403, "Forbidden", limit("1700000000"), errors.RateLimitError, 0.0),
        (403, "Forbidden", limit(date=""), errors.RateLimitError, None),
        (403, "Forbidden", limit(date="now"), errors.RateLimitError, None),
        (403, "Forbidden", limit("60"), errors.RateLimitError, None),
        (403, "Forbidden", limit("1792567740000"), errors.RateLimitError, None),
        (403, "Forbidden", limit(""), errors.RateLimitError, None),
        (403, "You have exceeded a secondary rate limit.", {"retry-after": "30"}, errors.RateLimitError, 30.0),
        (403, "You have exceeded a Secondary Rate Limit.", {}, errors.RateLimitError, None),
        (429, "Slow down", limit(), errors.RateLimitError, 60.0),
        (403, "Forbidden", limit(left="10"), errors.PermissionDeniedError, None),
        (404, "Not Found", limit(), errors.NotFoundError, None),
    ],
)  # fmt: skip
def test_a_spent_rate_limit_is_an_error_of_its_own(status, message, headers, cls, seconds):
    """GitHub says so with 403. The time to wait counts on the server's clock."""
    error = failure(status, {"message": message, "documentation_url": "u"}, headers=headers)
    assert type(error) is cls
    assert error.retry_after == seconds


class Owner(msgspec.Struct):
    login: str


class Repo(msgspec.Struct):
    name: str
    owner: Owner


@pytest.mark.parametrize(
    ("body", "said", "path", "field"),
    [
        ({"name": "hidden"}, "missing required field `owner`", "$", "owner"),
        ({"name": "hidden", "owner": {}}, "missing required field `login`", "$.owner", "login"),
        ({"name": 5}, "expected `str`, got `int`", "$.name", "name"),
        ({"name": "hidden", "owner": {"login": ["hidden"]}}, "expected `str`, got `array`", "$.owner.login", "login"),
        (["hidden"], "expected `object`, got `array`", "$", None),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_is_told_by_field_path_and_response(body, said, path, field):
    response = Response(201, json=body, request=CALL)
    with pytest.raises(DecodeError) as caught:
        response.decode(Repo)
    error = caught.value
    reason = "the body does not have the expected shape"
    assert str(error) == f"POST /user/repos: status 201: {reason}: {said} at {path}"
    assert (error.path, error.field) == (path, field)
    assert (error.method, error.url, error.status_code) == ("POST", "/user/repos", 201)
    assert (error.__cause__, error.__context__) == (None, None)


def test_a_body_that_is_not_json_names_its_response():
    with pytest.raises(
        DecodeError, match=r"^POST /user/repos: status 502: the body is not valid JSON at \$$"
    ):
        Response(502, content=b"<html>", request=CALL).json()


def test_the_last_name_of_a_path_is_the_field():
    """An index and the key of a mapping are not names."""
    with pytest.raises(DecodeError) as caught:
        Response(200, json={"a": [{"hidden": 1}]}).decode(dict[str, list[Owner]])
    assert (caught.value.path, caught.value.field) == ("$[...][0]", "login")
    with pytest.raises(DecodeError) as caught:
        Response(200, json=[{"name": "x", "owner": {"login": 5}}]).decode(list[Repo])
    assert (caught.value.path, caught.value.field) == ("$[0].owner.login", "login")
    with pytest.raises(DecodeError) as caught:
        Response(200, json=[[5]]).decode(list[list[str]])
    assert (caught.value.path, caught.value.field) == ("$[0][0]", None)


@pytest.mark.parametrize(
    "message",
    [
        'The value "hidden words\nmore" is wrong',
        "The value 'hidden words",
        "Wrong: `hidden words` here",
        "\u2018hidden words\u2019 is wrong",
        "\u00abhidden words\u00bb is wrong",
        'Wrong "' + "hidden words " * 60 + '" here',
    ],
)
def test_what_is_quoted_is_left_out_wherever_it_ends(message):
    """A quote that a cut or a line end leaves open goes on to the end."""
    told = str(failure(422, {"message": message}))
    assert "hidden" not in told
    assert "words" not in told


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("token_expired", "token_expired"),
        ("not_found", "not_found"),
        ("a" * 21, None),
        ("sk_" + "live_abcdef", None),
        ("gh" + "p_abcdefghij", None),
        ("xox" + "b_abcdefghij", None),
    ],
)
def test_a_code_is_of_words_and_begins_like_no_token(code, shown):
    assert Response(400, json={"code": code}).error_code == shown
