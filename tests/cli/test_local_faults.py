"""`archal-lambda local --fault`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from archal_lambda import Clones
from archal_lambda.cli._faults import FaultText
from archal_lambda.cli.local import request_line
from archal_lambda.local import RecordedHeaders, RecordedRequest
from archal_lambda.testing import Fault

WRONG = [
    ("github status=200", "'status=200': status must be a status from 400 to 599"),
    ("github statsu=503", "'statsu=503' is of none of the keys cut, delay, drip"),
    ("github status=many", "'status=many' must have a number behind status="),
    ("GitHub status=503", "'GitHub' is no clone, METHOD, /path or key=value"),
    ("github GET POST status=503", "'POST' says method a second time"),
    ("github status=503 cut=1", "'cut=1': cut is a second effect beside status"),
    ("github /a?b=1 status=503", "'/a?b=1': path must begin with / and have no space or query"),
    ("github GET", "fault needs an effect"),
    ("github teardown=502", "'github': clone does not go with teardown"),
    ("gitlab status=503", "clone is the unknown 'gitlab'; available here: github"),
    ("", "fault needs an effect"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_wrong_fault_names_its_word(cli, text, told):
    code, out, err = cli("local", "--fault", text)

    assert (code in {1, 2}, out) == (True, "")
    (line,) = err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    "fault",
    [
        Fault(clone="github", method="POST", path="/repos/*/*/issues", status=503, retry_after=1),
        Fault(delay=0.5, drip=0.01, probability=0.25, seed=-3, times=7),
        Fault(clone="slack", reset="after"),
        Fault(revoked=True),
        Fault(teardown=502, times=1),
        Fault(path="/**", cut=0),
    ],
    ids=str,
)
def test_what_a_fault_says_of_itself_is_how_it_is_written(fault):
    assert FaultText().convert(str(fault), None, None) == fault


@pytest.mark.parametrize("word", ["reset", "reset=before", "reset=True"])
def test_a_reset_is_one_before_the_clone_acts(word):
    assert FaultText().convert(word, None, None) == Fault(reset="before")


def test_faults_are_played_and_shown():
    """Each request's line says what was played."""
    program = [sys.executable, "-c", "from archal_lambda.cli import main; main()", "local"]
    faults = [
        "github GET /user status=503 times=1 retry_after=1",
        "GET /user/repos reset times=1",
        "revoked",
    ]
    options = [one for fault in faults for one in ("--fault", fault)]
    with subprocess.Popen(
        [*program, "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            environ = json.loads(running.stdout.readline())["environ"]
            with Clones.from_env(environ) as clones:
                github = clones["github"]
                statuses = [
                    github.get(path, token="t").status_code
                    for path in ("/user", "/user", "/user/repos")
                ]
        finally:
            running.send_signal(signal.SIGTERM)
            _, err = running.communicate(timeout=20)

    assert statuses == [503, 401, 401]
    shown = [line.partition("fault: ")[2] for line in err.splitlines()]
    assert shown == ["status=503 retry_after=1", "revoked", "reset=before", "revoked"]
    assert running.returncode == 0


@pytest.mark.parametrize(
    ("saw", "shown"),
    [
        (False, "GET    /x  503  1.0 ms  fault: status=503"),
        (True, "GET    /x  503  1.0 ms  -> github  fault: status=503"),
    ],
)
def test_a_line_tells_whether_the_clone_was_asked(saw, shown):
    record = RecordedRequest(
        method="GET",
        path="/x",
        query="",
        session_id="ses-1",
        clone="github",
        status=503,
        duration_ms=1.0,
        received_headers=RecordedHeaders(),
        clone_saw=True if saw else None,
        fault="status=503",
    )

    assert request_line(record) == shown
