"""A token from AWS Secrets Manager, through a server that speaks the extension's HTTP contract."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from archal_lambda import (
    ArchalClient,
    Clones,
    ConfigurationError,
    Deadline,
    Headers,
    Request,
    RequestTimeout,
    Response,
    Settings,
)
from archal_lambda.core.auth import ExtensionCredentials
from archal_lambda.core.environment import TokenSecret
from archal_lambda.core.secrets import Secret
from archal_lambda.local import LocalArchal
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports.mock import MockTransport

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:archal-AbCdEf"
ROUTE = "x-route-authorization"
SESSION = "session" + "-of-the-function"


class Extension(ThreadingHTTPServer):
    """The AWS Parameters and Secrets Lambda extension, as far as its HTTP contract goes."""

    daemon_threads = True

    def __init__(self, secret):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secret = secret
        self.reads = 0
        self.pause = 0.0
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()

    @property
    def variables(self):
        """The variables that Lambda and the template set."""
        return {
            "ARCHAL_TOKEN_SECRET": ARN,
            "AWS_SESSION_TOKEN": SESSION,
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(self.server_port),
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.reads += 1
        server.hold.wait(5)
        time.sleep(server.pause)
        url = urlsplit(self.path)
        status, body = server.status, b"no such thing"
        if self.headers.get("X-Aws-Parameters-Secrets-Token") != SESSION:
            status, body = 401, b"unauthorized"
        elif url.path != "/secretsmanager/get" or parse_qs(url.query) != {"secretId": [ARN]}:
            status = 400
        elif status == 200:
            body = server.secret
            if isinstance(body, str):
                answer = {"ARN": ARN, "Name": "archal", "SecretString": body, "VersionStages": []}
                body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def extension():
    """A running extension."""
    with Extension("token") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def archal():
    """A local Archal."""
    with LocalArchal() as local:
        yield local


def environ(archal, extension):
    """The environment of a function whose token is in a secret."""
    own = {
        name: value
        for name, value in archal.environ.items()
        if name not in {"ARCHAL_TOKEN", "AGENT_ROUTE_HEADERS"}
    }
    return own | extension.variables


def test_the_route_gets_the_secrets_token(archal, extension):
    """The secret is read once, when the first call needs it."""
    extension.secret = archal.token
    with Clones.from_env(environ(archal, extension)) as clones:
        assert extension.reads == 0
        statuses = [clones["github"].get("/user", token="t").status_code for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert extension.reads == 1


def test_the_control_plane_gets_it_too(archal, extension):
    """Sessions, and the clones of an opened one, use the same secret."""
    extension.secret = json.dumps({"ARCHAL_TOKEN": archal.token, "other": 1})
    with (
        ArchalClient.from_env(environ(archal, extension)) as client,
        client.sessions.open(clones=["github"]) as hosted,
    ):
        assert hosted.clones["github"].get("/user", token="t").status_code == 200


def test_a_rotated_secret_is_read_again_once(archal, extension):
    """A 401 of the route makes one new read; the POST that was refused is sent again."""
    extension.secret = "old" + "-token"
    with Clones.from_env(environ(archal, extension)) as clones:
        refused = clones["github"].get("/user", token="t")
        reads_of_a_hopeless_call = extension.reads
        extension.secret = archal.token
        made = clones["github"].post("/user/repos", json={"name": "x"}, token="t")

    assert (refused.status_code, refused.rejected_by) == (401, "route")
    assert reads_of_a_hopeless_call == 2
    assert made.status_code == 201
    assert extension.reads == 3
    assert [call.status for call in archal.requests] == [401, 401, 201]


def test_a_clones_own_401_reads_nothing(archal, extension):
    """A missing service credential is the clone's response, and not a reason to read the secret."""
    extension.secret = archal.token
    with Clones.from_env(environ(archal, extension)) as clones:
        assert clones["github"].get("/user").status_code == 401

    assert extension.reads == 1


def test_side_by_side_calls_share_one_read(archal, extension):
    """gather() reads the secret once, before its threads start."""
    extension.secret = archal.token
    calls = [("github", Request("GET", "/user", token="t"))] * 8
    with Clones.from_env(environ(archal, extension)) as clones:
        outcomes = clones.gather(calls)

    assert {outcome.status_code for outcome in outcomes} == {200}
    assert extension.reads == 1


def credentials(extension, clock):
    """Credentials with a clock of their own."""
    secret = TokenSecret(ARN, Secret(SESSION), str(extension.server_port))
    return ExtensionCredentials(
        ROUTE,
        secret,
        UrllibTransport().send,
        lock=threading.Lock(),
        wall_clock=lambda: clock[0],
    )


def test_a_secret_is_kept_for_five_minutes(extension):
    """Within the time to live nothing is read; after it, or if the clock is set back, it is."""
    clock = [1000.0]
    route = credentials(extension, clock)
    reads = []
    for moment in (1000.0, 1299.0, 1300.0, 1400.0, 900.0):
        clock[0] = moment
        route.headers(Deadline.after(5))
        reads.append(extension.reads)

    assert reads == [1, 1, 2, 2, 3]


def test_a_failing_extension_does_not_stop_what_works(extension):
    """After the time to live an unreadable secret leaves the old token in use."""
    clock = [1000.0]
    route = credentials(extension, clock)
    before = route.headers(Deadline.after(5))
    extension.status = 500
    clock[0] = 2000.0

    assert route.headers(Deadline.after(5)).pairs == before.pairs
    assert route.headers(Deadline.after(5), before) is before


def test_a_failing_extension_is_left_alone_for_a_while(extension):
    """While it fails, not every call pays for asking it; half a minute later it is asked again."""
    clock = [1000.0]
    route = credentials(extension, clock)
    route.headers(Deadline.after(5))
    extension.status = 500
    reads = []
    for moment in (1300.0, 1301.0, 1329.0, 1330.0, 1331.0):
        clock[0] = moment
        route.headers(Deadline.after(5))
        reads.append(extension.reads)

    assert reads == [2, 2, 2, 3, 3]


def test_calls_refused_side_by_side_share_one_renewal(extension):
    """Whoever comes second finds the new token there, and may try again with it."""
    route = credentials(extension, [1000.0])
    old = route.headers(Deadline.after(5))
    extension.secret = "new" + "-token"

    newer = [route.headers(Deadline.after(5), old)[ROUTE] for _ in range(3)]
    assert newer == ["Bearer new-token"] * 3
    assert extension.reads == 2
    new = route.headers(Deadline.after(5))
    assert route.headers(Deadline.after(5), new).pairs == new.pairs
    assert extension.reads == 3


def test_many_calls_outlive_a_rotation(archal, extension):
    """All calls that are under way when the secret is rotated succeed."""
    extension.secret = "old" + "-token"
    calls = [("github", Request("GET", "/user", token="t"))] * 8
    with Clones.from_env(environ(archal, extension)) as clones:
        clones["github"].get("/user", token="t")
        extension.secret = archal.token
        outcomes = clones.gather(calls)

    assert [outcome.status_code for outcome in outcomes] == [200] * 8


def test_waiting_for_anothers_read_is_under_the_calls_own_deadline(extension):
    """One call reads from a silent extension; another one, with less time, does not wait for it."""
    route = credentials(extension, [1000.0])
    extension.hold.clear()
    errors = []

    def read():
        with pytest.raises(ConfigurationError) as caught:
            route.headers(Deadline.after(5))
        errors.append(caught.value)

    reader = threading.Thread(target=read)
    reader.start()
    while not extension.reads:
        time.sleep(0.001)
    with pytest.raises(RequestTimeout, match="not read in time"):
        route.headers(Deadline.after(0.05))
    old = Headers({ROUTE: "Bearer old"})
    assert route.headers(Deadline.after(0.05), old) is old
    assert errors == []  # the reading goes on
    reader.join()
    assert extension.reads == 1


def test_any_401_of_the_control_plane_reads_the_secret_again(extension):
    """No clone responds there, so the shape of the body does not matter."""
    extension.secret = "old" + "-token"
    seen = []

    def control(request):
        if request.url.endswith("/secretsmanager/get"):
            return Response(200, json={"SecretString": extension.secret})
        seen.append(request.headers["authorization"])
        extension.secret = "new" + "-token"
        return Response(401) if len(seen) == 1 else Response(200, json={"sessions": []})

    settings = Settings.from_env(extension.variables)
    with ArchalClient(settings, transport=MockTransport(control)) as client:
        assert client.sessions.list() == []

    assert seen == ["Bearer " + "old-token", "Bearer " + "new-token"]


@pytest.mark.parametrize(
    ("secret", "status", "message"),
    [
        ("token", 400, "the extension answered 400"),
        ("", 200, "must be one line"),
        ("two\nlines", 200, "must be one line"),
        ("{}", 200, "does not contain a secret string"),
        ('{"ARCHAL_TOKEN": 7}', 200, "does not contain a secret string"),
        (b"not JSON", 200, "does not contain a secret string"),
        (b'{"SecretBinary": "AA=="}', 200, "does not contain a secret string"),
    ],
)
def test_an_unreadable_secret_is_a_configuration_error(archal, extension, secret, status, message):
    """The error names the variable and what is wrong, and shows no value."""
    extension.secret, extension.status = secret, status
    with (
        Clones.from_env(environ(archal, extension)) as clones,
        pytest.raises(ConfigurationError, match=message) as caught,
    ):
        clones["github"].get("/user", token="t")

    assert caught.value.variable == "ARCHAL_TOKEN_SECRET"
    assert SESSION not in repr(caught.value)
    assert archal.requests == ()


def test_a_silent_extension_costs_a_second_at_most(archal, extension):
    """A read that gets no response ends, and says what is missing."""
    extension.hold.clear()
    started = time.monotonic()
    with (
        Clones.from_env(environ(archal, extension)) as clones,
        pytest.raises(ConfigurationError, match="RequestTimeout"),
    ):
        clones["github"].get("/user", token="t")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("client", [Clones, ArchalClient])
def test_a_budget_that_ends_while_the_secret_is_read_is_a_timeout(archal, extension, client):
    """Nothing is known to be wrong with the settings; the next call, in as much time, finds out."""
    extension.hold.clear()
    with client.from_env(environ(archal, extension), timeout=0.7) as asked:

        def call():
            return asked.sessions.list() if client is ArchalClient else asked["github"].get("/user")

        with pytest.raises(RequestTimeout, match="not read in time") as caught:
            call()
        assert caught.value.sent is False
        extension.secret = archal.token
        extension.hold.set()
        call()


def test_calls_that_are_refused_at_once_share_one_reading(archal, extension):
    """The token has not changed, so that each of them is refused for good."""
    extension.secret = "old" + "-token"
    calls = [("github", Request("GET", "/user", token="t"))] * 32
    with Clones.from_env(environ(archal, extension)) as clones:
        clones["github"].get("/user")
        extension.pause = 0.2
        outcomes = clones.gather(calls, max_concurrency=32)

    assert [outcome.status_code for outcome in outcomes] == [401] * 32
    assert extension.reads == 3


def test_a_refusal_of_what_was_just_read_reads_again(extension):
    """The secret may have been rotated since."""
    route = credentials(extension, [1000.0])
    first = route.headers(Deadline.after(5))
    assert route.headers(Deadline.after(5), first) is first
    extension.secret = "new" + "-token"
    assert route.headers(Deadline.after(5), first) is first  # sent before the last reading
    second = route.headers(Deadline.after(5))
    assert second.pairs == first.pairs
    assert route.headers(Deadline.after(5), second)[ROUTE] == "Bearer " + "new-token"
    assert extension.reads == 3


def test_calls_that_are_refused_while_the_extension_fails_share_one_try(extension):
    """A failed reading may take as long as a call can wait; it is not done once for each."""
    route = credentials(extension, [1000.0])
    old = route.headers(Deadline.after(5))
    extension.status = 500
    assert [route.headers(Deadline.after(5), old).pairs for _ in range(8)] == [old.pairs] * 8
    assert extension.reads == 2


def test_a_short_budget_does_not_spend_all_of_itself_on_a_silent_extension(extension):
    """The token that was read before serves, and the extension is left alone for a while."""
    now = [1000.0]
    route = credentials(extension, now)
    old = route.headers(Deadline.after(5))
    now[0] += 301.0
    extension.hold.clear()
    assert route.headers(Deadline.after(0.05)) is old
    assert route.headers(Deadline.after(0.05)) is old
    assert extension.reads == 2


def test_no_extension_is_said(archal, extension):
    """Without the layer nothing listens, and the error says so."""
    variables = environ(archal, extension) | {"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": "1"}
    with (
        Clones.from_env(variables) as clones,
        pytest.raises(ConfigurationError, match="needs its layer"),
    ):
        clones["github"].get("/user", token="t")


@pytest.mark.parametrize("missing", ["", None])
def test_without_lambdas_own_token_nothing_is_asked(archal, extension, missing):
    """The extension would refuse it; the error names what is missing, not a permission."""
    variables = environ(archal, extension) | {"AWS_SESSION_TOKEN": missing}
    present = {name: value for name, value in variables.items() if value is not None}
    with (
        Clones.from_env(present) as clones,
        pytest.raises(ConfigurationError, match="AWS_SESSION_TOKEN is not set"),
    ):
        clones["github"].get("/user", token="t")

    assert extension.reads == 0


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"ARCHAL_TOKEN_SECRET": "has spaces"}, "ARCHAL_TOKEN_SECRET"),
        (
            {"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": "http"},
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
        ),
        (
            {"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": "65536"},
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
        ),
    ],
)
def test_wrong_variables_are_named(archal, extension, changes, variable):
    """A name that is none, or a port that is none, is found before anything is read."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(environ(archal, extension) | changes)

    assert caught.value.variable == variable


def test_a_token_in_the_environment_goes_first(archal, extension):
    """ARCHAL_TOKEN and AGENT_ROUTE_HEADERS make the secret unnecessary."""
    with Clones.from_env(archal.environ | extension.variables) as clones:
        assert clones["github"].get("/user", token="t").status_code == 200

    assert extension.reads == 0


def test_settings_with_a_secret_write_its_name(archal, extension):
    """The variables name the secret; neither they nor the repr show a token."""
    settings = Settings.from_env(environ(archal, extension))

    assert settings.variables()["ARCHAL_TOKEN_SECRET"] == ARN
    assert SESSION not in repr(settings) + repr(settings.token_secret)
