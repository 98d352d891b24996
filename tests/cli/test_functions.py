"""Which function `invoke` runs, and what it gets."""

from __future__ import annotations

import json

import pytest

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters: {Seconds: {Type: Number, Default: 7}, Nothing: {Type: String}}
Globals:
  Function:
    CodeUri: src/
    Handler: app.handler
    Environment: {Variables: {SHARED: of all, MINE: of all}}
Resources:
  Plain: {Type: AWS::Serverless::Function}
  Own:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: !Ref Seconds
      MemorySize: 256
      Environment:
        Variables:
          {MINE: own, NUMBER: 5, FLAG: true, DAY: 2026-01-31, REF: {Ref: Seconds}, GONE: !Ref Nothing,
           LATER: !GetAtt Table.Arn, NULL_: null, ARCHAL_STRIPE_REST_URL: "https://stripe.test"}
  Odd:
    Type: AWS::Serverless::Function
    Properties: {Timeout: !If [A, 1, 2], MemorySize: 0, Environment: }
  Made:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {Handler: src.app.handler}
  Image: {Type: AWS::Serverless::Function, Properties: {Handler: !Ref Nothing}}
  Undotted: {Type: AWS::Serverless::Function, Properties: {Handler: app}}
  Text: AWS::Serverless::Function
"""
HANDLER = """
import os
def handler(event, context):
    names = os.environ["WANTED"].split()
    variables = {name: os.environ[name] for name in names if name in os.environ}
    limits = round(context.get_remaining_time_in_millis() / 1000), context.memory_limit_in_mb
    return {"limits": limits, "variables": variables}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project as `sam init` lays it out: the code in a folder that CodeUri names."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(HANDLER)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANTED", "SHARED MINE NUMBER FLAG DAY REF GONE LATER NULL_")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "limits", "variables"),
    [
        ("Plain", [3, "128"], {"SHARED": "of all", "MINE": "of all"}),
        (
            "Own",
            [7, "256"],
            {
                "SHARED": "of all",
                "MINE": "own",
                "NUMBER": "5",
                "FLAG": "true",
                "DAY": "2026-01-31",
                "REF": "7",
                "GONE": "",
                "LATER": "",
                "NULL_": "",
            },
        ),
        ("Odd", [3, "128"], {"SHARED": "of all", "MINE": "of all"}),
        ("Made", [3, "128"], {"SHARED": "of all", "MINE": "of all"}),
    ],
)
def test_a_function_gets_what_its_template_says(cli, project, name, limits, variables):
    """Code, limits and variables are the template's, or Lambda's own where only a deployment can tell."""
    code, out, err = cli("invoke", name)

    assert (code, err) == (0, "")
    assert json.loads(out) == {"limits": limits, "variables": variables}


@pytest.mark.parametrize("name", ["Image", "Undotted"])
def test_a_function_without_python_code_is_refused(cli, project, name):
    """What cannot be run here is said in one line."""
    code, out, err = cli("invoke", name)

    assert (code, out) == (2, "")
    assert err.endswith(f"template.yaml: {name} has no Handler of the form module.function\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a SAM template"),
        ("[]", "is not a SAM template"),
        ("a: {", "is not a SAM template"),
        ("a: " + "[" * 9_999, "is not a SAM template"),
        ("\udcff", "is not a SAM template"),
        ("Resources:", "has no function F; it has no functions"),
        ("Resources: [F]", "has no function F; it has no functions"),
        ("Resources: {F: F}", "has no function F; it has no functions"),
        ("{Globals: 1, Resources: {F: {Type: AWS::Serverless::Function}}}", "F has no Handler"),
    ],
)
def test_a_template_that_is_none_is_one_line(cli, project, text, message):
    """Whatever the file contains, there is no traceback."""
    (project / "template.yaml").write_text(text, encoding="utf-8", errors="surrogateescape")

    code, out, err = cli("invoke", "F")

    assert (code, out) == (2, "")
    assert err.startswith("archal-lambda: error: template.yaml")
    assert message in err
    assert err.count("\n") == 1


def test_a_local_archal_is_the_only_one_a_function_can_reach(cli, project, monkeypatch):
    """With --local no setting of the shell or the template is left, nor can one fail the invocation."""
    monkeypatch.setenv("ARCHAL_GITLAB_REST_URL", "not a URL")
    monkeypatch.setenv("ARCHAL_TOKEN_SECRET", "not a secret")
    monkeypatch.setenv("AGENT_SESSION_ID", "ses-of-the-shell")
    monkeypatch.setenv(
        "WANTED",
        "ARCHAL_GITLAB_REST_URL ARCHAL_STRIPE_REST_URL ARCHAL_TOKEN_SECRET AGENT_SESSION_ID",
    )

    code, out, _ = cli("invoke", "Own", "--local")

    assert (code, json.loads(out)["variables"]) == (0, {})


def test_the_demo_needs_nothing_of_the_environment(cli, monkeypatch):
    """Settings that are wrong or lead elsewhere do not reach it."""
    for name in ("ARCHAL_GITLAB_REST_URL", "AGENT_CLONE_URLS", "ARCHAL_TOKEN_SECRET"):
        monkeypatch.setenv(name, "not even a URL")

    code, _, err = cli("demo")

    assert (code, err) == (0, "")


@pytest.mark.parametrize("command", ["invoke", "harness"])
def test_a_durable_function_is_not_run_and_the_reason_is_said(cli, project, monkeypatch, command):
    """It would be run without the service that keeps its state; there is a runner for it."""
    monkeypatch.setenv("AGENT_TASK", "x")
    (project / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n"
        "      Handler: src.app.handler\n      DurableConfig: {ExecutionTimeout: 900}\n"
    )

    code, _, err = cli(command, "F")

    assert code == 1
    assert "Sandbox.DurableFunction: a durable function needs Lambda" in err
    assert "DurableFunctionTestRunner" in err
