"""The template passes every check there is without an account, and the checks find what they should."""

from __future__ import annotations

import json

import pytest
from support import supply
from support.sam import tools

TEMPLATE = tools.ROOT / "template.yaml"
# What the seed is, what it replaces, and what finds it.
FAULTS = {
    "visibility below the timeout": ("VisibilityTimeout: 360", "VisibilityTimeout: 30", "E3505"),
    "timeout above 15 minutes": ("Timeout: 180", "Timeout: 1500", "E3717"),
    "unknown architecture": ("[!Ref Architecture]", "[riscv]", "E3030"),
    "unknown response type": ("[ReportBatchItemFailures]", "[Nope]", "E3030"),
    "route without a method": ("            Method: POST\n", "", "transform"),
    "misspelt global": ("MemorySize: 512", "MemorySise: 512", "transform"),
    "misspelt property": ("RedrivePolicy:", "RedrivePolicies:", "E3002"),
    "reference to nothing": ("!Ref LifecycleSchedule", "!Ref Nothing", "E1020"),
    "attribute of nothing": ("!GetAtt ScenarioQueue.Arn", "!GetAtt Nothing.Arn", "E1010"),
    "withdrawn runtime": ("Runtime: !Ref Runtime", "Runtime: python3.7", "E2531"),
    "too little memory": ("MemorySize: 512", "MemorySize: 64", "E3034"),
    "table key of no type": ("[{AttributeName: id, AttributeType: S}]", "[]", "E3"),
    "execution longer than a year": (
        "ExecutionTimeout: 900",
        "ExecutionTimeout: 40000000",
        "E3034",
    ),
    "unknown log group": ("LogGroup: !Ref AgentLog", "LogGroup: !Ref AgentLogs", "E1020"),
}


@pytest.fixture(scope="module")
def examined(sam, tmp_path_factory):
    """The template as it is, under None, and with each fault; all at once, because starting takes longest."""
    text = TEMPLATE.read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("templates")
    paths = {None: TEMPLATE}
    for number, (name, (old, new, _)) in enumerate(FAULTS.items()):
        assert old in text, name
        paths[name] = folder / f"{number}.yaml"
        paths[name].write_text(text.replace(old, new, 1), encoding="utf-8")
    return dict(zip(paths, sam.examine(*paths.values()), strict=True))


@pytest.fixture(scope="module")
def resources(examined):
    """What the template becomes: a function that gives the properties of all resources of a type."""
    template = examined[None]["template"]

    def of(kind):
        return {
            name: resource["Properties"]
            for name, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    return of


@pytest.mark.parametrize("options", [["--region", "eu-west-1"], ["--lint"]], ids=" ".join)
def test_sam_validates_the_template(sam, options):
    """SAM's own two checks pass."""
    code, printed, errors = sam("validate", *options)

    assert code == 0, errors
    assert "is a valid SAM Template" in printed


def test_sam_is_the_one_whose_emulator_is_used(sam):
    """One release of SAM is pinned, here and where its emulator is fetched."""
    _, printed, _ = sam("--version")

    assert printed == f"SAM CLI, version {supply.SAM}\n"


def test_translated_template_has_no_findings(examined):
    """What CloudFormation gets is clean, warnings included."""
    assert examined[None]["findings"] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(examined, fault):
    """A fault put into the template does not get through."""
    findings = examined[fault]["findings"]

    assert [finding for finding in findings if finding.startswith(FAULTS[fault][2])], findings


# The functions that write, and may remember what they did.
WRITERS = {"CreateRepo", "CreateRepoSnapStart", "GithubWebhook", "ScenarioWorker"}


def test_functions_may_read_one_secret_and_nothing_else(resources):
    """Every policy of a function is the one for the token's secret, or a writer's for its table, where there is one.

    McpAgent may ask a model besides.
    """
    roles = resources("AWS::IAM::Role")

    for name in resources("AWS::Lambda::Function"):
        given = roles[f"{name}Role"]["Policies"]
        always = [one["PolicyDocument"]["Statement"] for one in given if "Fn::If" not in one]
        actions = [one["Action"] for (one,) in always]
        assert actions == (["bedrock:InvokeModel"] if name == "McpAgent" else [])
        policies = {p["Fn::If"][0]: p["Fn::If"][1:] for p in given if "Fn::If" in p}
        # Under SnapStart no secret can be read.
        secret = set() if name == "CreateRepoSnapStart" else {"HasSecret"}
        assert set(policies) == secret | ({"HasIdempotency"} if name in WRITERS else set())
        for allowed, otherwise in policies.values():
            (statement,) = allowed["PolicyDocument"]["Statement"]
            assert otherwise == {"Ref": "AWS::NoValue"}
            if statement["Action"] == ["secretsmanager:GetSecretValue"]:
                arn = {"secretArn": {"Ref": "ArchalTokenSecretArn"}}
                assert statement["Resource"]["Fn::Sub"][1] == arn
            else:
                verbs = ("PutItem", "GetItem", "UpdateItem", "DeleteItem")
                assert statement["Action"] == [f"dynamodb:{verb}" for verb in verbs]
                assert statement["Resource"] == {"Fn::GetAtt": ["IdempotencyTable", "Arn"]}


def test_the_durable_function_may_checkpoint_and_no_other(resources):
    """By AWS's managed policy for it (Lambda Developer Guide, "Security and permissions"); it writes the log, too."""
    roles = resources("AWS::IAM::Role")

    named = {name: one.get("ManagedPolicyArns") for name, one in roles.items()}
    durable = [name for name, arns in named.items() if "Durable" in json.dumps(arns)]
    assert durable == ["DurableLifecycleRole"]
    (arn,) = named["DurableLifecycleRole"]
    assert arn.endswith(":aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy")


def test_what_is_remembered_is_forgotten_in_time(resources):
    """The table is billed by request, encrypted, and deletes what is over; the writers alone know its name."""
    (table,) = resources("AWS::DynamoDB::Table").values()
    functions = resources("AWS::Lambda::Function")

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}
    variable = "ARCHAL_LAMBDA_IDEMPOTENCY_TABLE"
    named = {name: one["Environment"]["Variables"].get(variable) for name, one in functions.items()}
    assert {name for name, value in named.items() if value is not None} == WRITERS
    expected = {"Fn::If": ["HasIdempotency", {"Ref": "IdempotencyTable"}, ""]}
    assert all(named[name] == expected for name in WRITERS)


def test_nobody_gets_in_unsigned(resources):
    """The HTTP API's route and the Function URLs ask for AWS's signature; GitHub's webhook is signed by the secret."""
    (api,) = resources("AWS::ApiGatewayV2::Api").values()
    urls = resources("AWS::Lambda::Url")

    routes = [route for path in api["Body"]["paths"].values() for route in path.values()]
    assert [route["security"] for route in routes] == [[{"AWS_IAM": []}]]
    assert {name: url["AuthType"] for name, url in urls.items()} == {
        "CreateRepoUrl": "AWS_IAM",
        "CreateRepoSnapStartUrl": "AWS_IAM",
        "GithubWebhookUrl": "NONE",
    }


def test_a_second_stack_finds_every_name_free(resources):
    """Nothing is named without the stack's name in it."""
    for schedule in resources("AWS::Scheduler::Schedule").values():
        assert "Name" not in schedule
    for group in resources("AWS::Logs::LogGroup").values():
        assert "${AWS::StackName}" in json.dumps(group["LogGroupName"])
    for kind, field in (
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::DynamoDB::Table", "TableName"),
    ):
        assert not [name for name, found in resources(kind).items() if field in found]
