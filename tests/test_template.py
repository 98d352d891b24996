"""template.yaml and events/ hold together with the code; what SAM makes of the template is tested in sam/."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
import yaml

from archal_lambda.invoke import find_function

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
# The event of each function, and its timeout.
FUNCTIONS = {
    "Agent": ("agent", 300),
    "McpAgent": ("mcp_agent", 300),
    "CreateRepo": ("create_repo", 20),
    "CreateRepoSnapStart": ("create_repo", 20),
    "GithubWebhook": ("github_webhook", 10),
    "DurableLifecycle": ("durable_lifecycle", 60),
    "ScenarioWorker": ("scenario_worker", 60),
    "SessionLifecycle": ("session_lifecycle", 180),
    "SessionSweeper": ("session_sweeper", 120),
}
SETTINGS = (
    "ARCHAL_SESSION_ID",
    "AGENT_CLONE_URLS",
    "AGENT_ROUTE_HEADERS",
    "ARCHAL_TOKEN",
    "ARCHAL_TOKEN_SECRET",
    "ARCHAL_LAMBDA_API_URL",
    "ARCHAL_LAMBDA_RUNTIME_URL",
)


class Loader(yaml.SafeLoader):
    """Reads `!Ref X` as `{"!Ref": "X"}`, and so on."""


def tagged(loader, tag, node):
    """Read a value under one of CloudFormation's tags."""
    make = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }
    return {f"!{tag}": make[type(node)](node)}


Loader.add_multi_constructor("!", tagged)


@pytest.fixture(scope="module")
def template():
    """The template as written."""
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=Loader)  # noqa: S506 - a SafeLoader


@pytest.fixture(scope="module")
def functions(template):
    """The properties of each function, without what is global."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_importable_and_declares_what_it_reads(name):
    """Every handler exists, and `sam local` can pass it every setting; none has a value of its own."""
    function = find_function(name, TEMPLATE)

    module, _, attribute = function.handler.rpartition(".")
    assert module == f"archal_lambda.handlers.{FUNCTIONS[name][0]}"
    assert callable(getattr(importlib.import_module(module), attribute))
    assert [function.variables[variable] for variable in SETTINGS] == [""] * len(SETTINGS)
    assert (function.timeout, function.memory) == (FUNCTIONS[name][1], 512)


def test_every_function_and_every_event_is_known(functions):
    """No function is left out here, no event file is left over, and each is JSON."""
    events = {path.name: json.loads(path.read_text()) for path in (ROOT / "events").iterdir()}

    assert sorted(functions) == sorted(FUNCTIONS)
    deployed = {f"{event}.json" for event, _ in FUNCTIONS.values()}
    assert set(events) == deployed | {"lambda_edge.json"}  # which CloudFront's own stack deploys


def test_every_declared_variable_is_read_by_somebody(template):
    """A variable in the template is one that the package, Powertools or the secrets extension reads."""
    package = [path.read_text(encoding="utf-8") for path in ROOT.glob("archal_lambda/**/*.py")]
    declared = template["Globals"]["Function"]["Environment"]["Variables"]

    ours = [name for name in declared if not name.startswith(("POWERTOOLS_", "SECRETS_MANAGER_"))]
    assert sorted(ours) == sorted(SETTINGS)
    assert [name for name in ours if not any(f'"{name}"' in text for text in package)] == []


def test_no_secret_is_written_down_or_shown(template, functions):
    """Secrets come as parameters that are empty and not echoed."""
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    variables = variables | functions["GithubWebhook"]["Environment"]["Variables"]
    for variable in ("AGENT_ROUTE_HEADERS", "ARCHAL_TOKEN", "ARCHAL_LAMBDA_WEBHOOK_SECRET"):
        parameter = template["Parameters"][variables[variable]["!Ref"]]
        assert (parameter["NoEcho"], parameter["Default"]) == (True, "")
    assert not re.search(
        r"Ref (ArchalToken|AgentRouteHeaders|GithubWebhookSecret)\b", str(template["Outputs"])
    )


def test_every_function_is_built_alike_and_logs_for_a_month(template, functions):
    """All are built by the Makefile of architecture and Python; all have a log group that forgets."""
    for name, properties in functions.items():
        assert template["Resources"][name]["Metadata"] == {
            "BuildMethod": "makefile",
            "ContextPath": {"!Sub": "deploy/${Architecture}/${Runtime}"},
            "WorkingDirectory": ".",
        }
        group = template["Resources"][properties["LoggingConfig"]["LogGroup"]["!Ref"]]
        days = template["Parameters"][group["Properties"]["RetentionInDays"]["!Ref"]]
        assert days["Default"] == 30
        assert group["Properties"]["LogGroupName"]["!Sub"].endswith(f"-{name}")
    architectures = template["Parameters"]["Architecture"]
    assert architectures["Default"] == "arm64"
    runtimes = template["Parameters"]["Runtime"]
    assert runtimes["Default"] == "python3.13"
    assert template["Globals"]["Function"]["Runtime"] == {"!Ref": "Runtime"}
    for architecture in architectures["AllowedValues"]:
        made_for = {
            path.parent.name for path in (ROOT / "deploy" / architecture).glob("*/Makefile")
        }
        assert made_for == set(runtimes["AllowedValues"])
        for runtime in made_for:
            lines = (ROOT / "deploy" / architecture / runtime / "Makefile").read_text().splitlines()
            assert f"version := {runtime.removeprefix('python')}" in lines


def test_a_batch_returns_what_it_did_not_do(template, functions):
    """The queue waits six times the function's timeout, failures are reported one by one, and end somewhere."""
    worker = functions["ScenarioWorker"]
    source = worker["Events"]["Scenarios"]["Properties"]
    queue = template["Resources"]["ScenarioQueue"]["Properties"]

    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["VisibilityTimeout"] == 6 * worker["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    letters, _, attribute = queue["RedrivePolicy"]["deadLetterTargetArn"]["!GetAtt"].partition(".")
    assert attribute == "Arn"
    assert template["Resources"][letters]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_schedules_are_careful(template, functions):
    """What costs money or stops something does not run until it is asked to; what is sent suits the handler."""
    daily = functions["SessionLifecycle"]["Events"]["Daily"]["Properties"]
    hourly = functions["SessionSweeper"]["Events"]["Hourly"]["Properties"]

    assert template["Parameters"][daily["State"]["!Ref"]]["Default"] == "DISABLED"
    assert daily["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert functions["SessionLifecycle"]["EventInvokeConfig"]["MaximumRetryAttempts"] == 0
    assert json.loads(daily["Input"]) == {"clone": "github", "path": "/user"}
    assert template["Parameters"]["SweepDryRun"]["Default"] == "true"
    for dry_run in template["Parameters"]["SweepDryRun"]["AllowedValues"]:
        sent = json.loads(hourly["Input"]["!Sub"].replace("${SweepDryRun}", dry_run))
        assert sent == {"max_age_seconds": 7200, "dry_run": dry_run == "true"}


def test_the_address_that_is_open_to_all_is_not_made_without_a_secret(template, functions):
    """Nobody but the webhook's function is told the secret, and there is none of it where there is no secret."""
    variable = "ARCHAL_LAMBDA_WEBHOOK_SECRET"
    told = [name for name, one in functions.items() if variable in str(one)]
    open_to_all = [
        name for name, one in functions.items() if "NONE" in str(one.get("FunctionUrlConfig"))
    ]

    assert told == open_to_all == ["GithubWebhook"]
    made = [
        name for name, one in template["Resources"].items() if one.get("Condition") == "HasWebhook"
    ]
    assert made == ["GithubWebhook", "GithubWebhookLog"]
    assert template["Conditions"]["HasWebhook"] == {
        "!Not": [{"!Equals": [{"!Ref": "GithubWebhookSecret"}, ""]}]
    }


def test_a_durable_execution_is_long_enough_and_keeps_its_code(functions):
    """Its result can be waited for, it goes on with the version it began with, and no second one is started for it."""
    (durable,) = [one for one in functions.values() if "DurableConfig" in one]

    assert durable["DurableConfig"] == {"ExecutionTimeout": 900, "RetentionPeriodInDays": 7}
    assert durable["AutoPublishAlias"] == "live"
    assert durable["EventInvokeConfig"]["MaximumRetryAttempts"] == 0


# What each alarm looks at.
ALARMS = {
    "RouteRejectionsAlarm": {"RouteRejections", "SetupFailures"},
    "CallFailuresAlarm": {"CloneCallFailures", "SessionCallFailures"},
    "FunctionErrorsAlarm": {"Errors", "DurableExecutionFailed", "DurableExecutionTimedOut"},
    "DeadLettersAlarm": {"ApproximateNumberOfMessagesVisible"},
    "LeakedSessionsAlarm": {"SessionsSkipped", "SessionsNotStopped", "SessionsUnreadable"},
}


def metrics_of(alarm):
    """The metrics that an alarm looks at, each with namespace, name and dimensions."""
    if "MetricName" in alarm:
        return [alarm]
    metrics = [one["!If"][1] if "!If" in one else one for one in alarm["Metrics"]]
    return [one["MetricStat"]["Metric"] for one in metrics if "MetricStat" in one]


def test_alarms_look_at_metrics_that_somebody_counts(template, functions):
    """All of them; ours are written somewhere in the package, under the dimension and namespace of the functions."""
    alarms = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    source = "".join(path.read_text() for path in ROOT.glob("archal_lambda/**/*.py"))
    variables = template["Globals"]["Function"]["Environment"]["Variables"]

    assert {
        name: {one["MetricName"] for one in metrics_of(alarm)} for name, alarm in alarms.items()
    } == ALARMS
    for alarm in alarms.values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"]["!If"][:2] == ["HasAlarmTopic", [{"!Ref": "AlarmTopicArn"}]]
        for one in metrics_of(alarm):
            if one["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]:
                assert f'"{one["MetricName"]}"' in source
                ((dimension),) = one["Dimensions"]
                assert dimension == {
                    "Name": "service",
                    "Value": variables["POWERTOOLS_SERVICE_NAME"],
                }
    watched = {"Errors": set(), "DurableExecutionFailed": set(), "DurableExecutionTimedOut": set()}
    for one in metrics_of(alarms["FunctionErrorsAlarm"]):
        ((dimension),) = one["Dimensions"]
        watched[one["MetricName"]].add(dimension["Value"]["!Ref"])
    durable = {name for name, properties in functions.items() if "DurableConfig" in properties}
    assert watched.pop("Errors") == set(functions)
    assert list(watched.values()) == [durable, durable]
    assert template["Parameters"]["AlarmTopicArn"]["Default"] == ""
