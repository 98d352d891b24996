"""What the parameters of today's Lambda make of the template: runtime, log format, SnapStart, tenants."""

from __future__ import annotations

import itertools

import pytest
from support.sam import tools
from support.sam.resolve import Resolver

TEMPLATE = tools.ROOT / "template.yaml"
SECRET = {
    "ArchalTokenSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:archal-a1b2c3",
    "SecretsExtensionArn": "arn:aws:lambda:eu-west-1:015030872274:layer:Extension:1",
}
# Each parameter's default, and its other values.
CHOICES = {
    "Runtime": ("python3.13", "python3.14"),
    "LogFormat": ("Text", "JSON"),
    "SnapStart": ('""', "first"),
    "TenantIsolation": ("DISABLED", "ENABLED"),
    "GithubWebhookSecret": ('""', "dummy"),
}


@pytest.fixture(scope="module")
def examined(sam, tmp_path_factory):
    """The template with the defaults of each combination: {combination: translated template and findings}."""
    text = TEMPLATE.read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("combinations")
    paths = {}
    for number, chosen in enumerate(itertools.product(*CHOICES.values())):
        changed = text
        for (name, (default, *_)), value in zip(CHOICES.items(), chosen, strict=True):
            head, tail = changed.split(f"\n  {name}:\n", 1)
            assert tail.split("Default: ", 1)[1].startswith(f"{default}\n")
            changed = f"{head}\n  {name}:\n" + tail.replace(
                f"Default: {default}", f"Default: {value}", 1
            )
        paths[chosen] = folder / f"{number}.yaml"
        paths[chosen].write_text(changed, encoding="utf-8")
    return dict(zip(paths, sam.examine(*paths.values()), strict=True))


@pytest.fixture(scope="module")
def made(examined):
    """Give what CloudFormation makes of the template with these parameters."""
    template = examined[tuple(default for default, *_ in CHOICES.values())]["template"]
    return lambda **parameters: Resolver(template, **parameters)


def version_of(function, resources):
    """Give the version of a function that is published."""
    (version,) = (
        name
        for name, one in resources.items()
        if one["Type"] == "AWS::Lambda::Version"
        and one["Properties"]["FunctionName"] == {"Ref": function}
    )
    return version


@pytest.fixture
def functions(made):
    """Give the properties of the functions with these parameters."""
    return lambda **parameters: {
        name: resource["Properties"]
        for name, resource in made(**parameters).resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def test_no_combination_has_findings(examined):
    """The linter accepts the template whatever is chosen."""
    assert len(examined) == 32
    assert {chosen: one["findings"] for chosen, one in examined.items() if one["findings"]} == {}


def test_no_combination_of_allowed_parameters_is_refused(made):
    """The defaults and each parameter by itself are accepted."""
    for parameters in ({}, SECRET, {"SnapStart": "1"}, {"TenantIsolation": "ENABLED"}):
        assert made(**parameters).refusals == []


@pytest.mark.parametrize("runtime", ["python3.13", "python3.14"])
def test_runtime_is_the_one_of_the_build(made, functions, runtime):
    """The parameter decides the runtime of every function, and the folder that `sam build` finds its makefile in."""
    found = functions(Runtime=runtime, SnapStart="1", Architecture="x86_64")

    assert len(found) > 1
    assert {properties["Runtime"] for properties in found.values()} == {runtime}
    for name in found:
        metadata = made(Runtime=runtime, SnapStart="1", Architecture="x86_64").resources[name][
            "Metadata"
        ]
        assert metadata["ContextPath"] == f"deploy/x86_64/{runtime}"


def test_logs_are_text_unless_asked_for(functions):
    """Then there is no level, which Lambda refuses with text."""
    for name, properties in functions(SnapStart="1").items():
        assert properties["LoggingConfig"] == {
            "LogFormat": "Text",
            "LogGroup": {"Ref": f"{name}Log"},
        }


def test_json_logs_have_levels(functions):
    """Both levels reach every function; by default, INFO."""
    levels = {"ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"}

    for name, properties in functions(LogFormat="JSON", SnapStart="1", **levels).items():
        log_group = {"Ref": f"{name}Log"}
        assert properties["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": log_group, **levels}
    for properties in functions(LogFormat="JSON").values():
        assert properties["LoggingConfig"]["ApplicationLogLevel"] == "INFO"
        assert properties["LoggingConfig"]["SystemLogLevel"] == "INFO"


def test_no_level_drops_metrics(made):
    """A line of metrics names no level and counts as INFO, so nothing above can be chosen."""
    level = made()._template["Parameters"]["ApplicationLogLevel"]

    assert level["AllowedValues"] == ["TRACE", "DEBUG", "INFO"]


def test_snapstart_is_off_unless_named(made, functions):
    """Without a name there is no version, no alias, and nothing of the function; alarms and outputs do without."""
    without = made()

    assert not [name for name in without.resources if "SnapStart" in name]
    assert not [name for name in without.outputs if "SnapStart" in name]
    assert not [one for one in functions().values() if "SnapStart" in one]
    alarm = without.resources["FunctionErrorsAlarm"]["Properties"]["Metrics"]
    assert "snapstart" not in [metric["Id"] for metric in alarm]


def test_snapstart_address_leads_to_the_published_version(made):
    """The Function URL belongs to the alias, the alias to the version, and the alarm watches the function."""
    resources = made(SnapStart="first").resources

    function = resources["CreateRepoSnapStart"]["Properties"]
    version = version_of("CreateRepoSnapStart", resources)
    alias = "CreateRepoSnapStartAliaslive"
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert function["Handler"] == "archal_lambda.handlers.create_repo.handler"
    assert resources["CreateRepoSnapStartUrl"]["Properties"]["TargetFunctionArn"] == {"Ref": alias}
    assert resources[alias]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    alarm = resources["FunctionErrorsAlarm"]["Properties"]["Metrics"]
    assert "snapstart" in [metric["Id"] for metric in alarm]
    # A snapshot is billed while its version exists.
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        assert resources[version][policy] == "Delete"


@pytest.mark.parametrize(
    ("function", "changed"),
    [
        ("CreateRepoSnapStart", {"SnapStart": "second"}),
        ("CreateRepoSnapStart", {"ArchalSessionId": "ses-2"}),
        ("DurableLifecycle", {"DurableVersion": "second"}),
    ],
)
def test_a_new_name_or_session_publishes_anew(made, function, changed):
    """CloudFormation replaces a version whose description changes, and Lambda sees a changed function."""

    def described(**parameters):
        resources = made(**parameters).resources
        version = resources[version_of(function, resources)]
        properties = resources[function]["Properties"]
        return (
            version["Properties"]["Description"],
            properties["Description"],
            properties["Environment"],
        )

    before = described(SnapStart="first", ArchalSessionId="ses-1")
    after = described(**({"SnapStart": "first", "ArchalSessionId": "ses-1"} | changed))

    assert before[0] != after[0]
    assert before[1:] != after[1:]


def test_an_execution_keeps_the_version_that_it_began_with(made):
    """One that is replaced is not deleted, and the alias leads to the new one."""
    resources = made().resources

    version = version_of("DurableLifecycle", resources)
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        assert resources[version][policy] == "Retain"
    alias = resources["DurableLifecycleAliaslive"]["Properties"]
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}


@pytest.mark.parametrize("snapstart", ["", "first"])
def test_writers_have_a_table_where_it_is_asked_for(made, functions, snapstart):
    """Its name and the permission come with it, and without it there is neither."""
    writers = {"CreateRepo", "GithubWebhook", "ScenarioWorker"}
    writers |= {"CreateRepoSnapStart"} if snapstart else set()
    variable = "ARCHAL_LAMBDA_IDEMPOTENCY_TABLE"

    for asked, table in (("ENABLED", {"Ref": "IdempotencyTable"}), ("DISABLED", "")):
        chosen = {"Idempotency": asked, "SnapStart": snapstart, "GithubWebhookSecret": "dummy"}
        resources = made(**chosen).resources
        found = {
            name: properties["Environment"]["Variables"][variable]
            for name, properties in functions(**chosen).items()
            if variable in properties["Environment"]["Variables"]
        }
        assert found == dict.fromkeys(writers, table)
        assert ("IdempotencyTable" in resources) is bool(table)
        for name in writers:
            allowed = resources[f"{name}Role"]["Properties"].get("Policies", [])
            assert len(allowed) == bool(table)


def test_snapstart_and_a_secret_are_refused(made):
    """The extension cannot be asked under SnapStart, so the stack is not made."""
    (refusal,) = made(SnapStart="first", **SECRET).refusals

    assert "not set under SnapStart" in refusal


def test_the_webhook_is_made_for_a_secret(made, functions):
    """Its address, log, permissions and alarm come and go with it; the address is open to whoever signs."""
    without, resources = made().resources, made(GithubWebhookSecret="dummy").resources

    assert not [name for name in without if "Webhook" in name]
    assert resources["GithubWebhookUrl"]["Properties"]["AuthType"] == "NONE"
    assert functions(GithubWebhookSecret="dummy")["GithubWebhook"]["Timeout"] == 10
    watched = [
        [metric["Id"] for metric in found["FunctionErrorsAlarm"]["Properties"]["Metrics"]]
        for found in (without, resources)
    ]
    assert [("webhook" in ids) for ids in watched] == [False, True]


@pytest.mark.parametrize("snapstart", ["", "first"])
def test_only_the_agent_can_isolate_tenants(functions, snapstart):
    """It alone has neither an address nor a source of events that tenant isolation excludes."""
    found = functions(TenantIsolation="ENABLED", SnapStart=snapstart)

    isolated = {name for name, properties in found.items() if "TenancyConfig" in properties}
    assert isolated == {"Agent"}
    assert found["Agent"]["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    assert "TenancyConfig" not in functions()["Agent"]
