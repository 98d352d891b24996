"""Open a hosted session, try one of its clones, stop it: `session_lifecycle` as a Lambda durable function.

It reads and returns the same. While the session starts, nothing runs and nothing is billed. What was done is
checkpointed, so that after a crash Lambda goes on where it was: the session is created once, by a key made of the
execution's ARN, and it is stopped whatever came before, for as long as it takes. Checkpoints hold the session's id,
statuses and times, and the messages of errors, which may name the address of a call; no header and no token.

The SDK runs the handler from its top each time, and takes the results of finished steps from the checkpoints. So
whatever is not the same each time belongs into a step.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from aws_durable_execution_sdk_python import (
    DurableContext,
    StepError,
    durable_execution,  # pyright: ignore[reportUnknownVariableType] - it names a type of boto3's stubs
)
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.exceptions import (
    BackgroundThreadError,
    BotoClientError,
    InvocationError,
    UnrecoverableError,
)
from aws_durable_execution_sdk_python.retries import RetryDecision, RetryPresets
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
)
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda import (
    ArchalClient,
    AuthenticationError,
    BadRequestError,
    Clones,
    ConfigurationError,
    ConnectError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    Request,
    RequestTimeout,
    ServerError,
    SessionEndedError,
    Settings,
    TransportError,
    UpgradeRequiredError,
    read_event,
)
from archal_lambda.powertools import log_calls

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_SECONDS = 10.0  # longest that one call to Archal may take
# In seconds. All together they stay below the ExecutionTimeout in the template, a stop that fails to its end included.
CREATE_DELAYS = (2, 5, 10, 20)
LOOK_DELAY, LOOKS = 5, 48
WAIT_SECONDS = LOOK_DELAY * LOOKS  # calls to a slow Archal included
STOP_DELAYS = (2, 5, 10, 20, 40, 60, 60, 60, 60)
SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret
# A creation that ends like this has made no session, and would end so again.
REFUSALS = (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    PermissionDeniedError,
    UpgradeRequiredError,
)
MADE_NONE = {f"{kind.__module__}.{kind.__qualname__}" for kind in (*REFUSALS, ConnectError)}

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class Check(msgspec.Struct):
    """What to try."""

    clone: Annotated[str, msgspec.Meta(min_length=1)] = "github"
    path: str = "/user"
    seed: str | None = None
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 600  # what Archal takes


def read_check(event: object) -> Check:
    """Read the event, before a session is opened for a check that cannot be made."""
    check = read_event(event, Check)
    try:
        Request("GET", check.path)
    except ValueError as error:  # which shows nothing of the path
        raise DecodeError(
            f"the event cannot be used: {error}", path="$.path", field="path"
        ) from None
    return check


class Lifecycle:
    """The steps of one execution. Each opens a client of its own: the next one may run in another process."""

    def __init__(self, check: Check, arn: str) -> None:
        self.check = check
        self.key = f"durable-{hashlib.sha256(arn.encode()).hexdigest()}"

    def client(self) -> ArchalClient:
        """Make a client for the control plane."""
        return ArchalClient.from_env(timeout=CALL_SECONDS, on_call=log_calls(logger, metrics))

    def create(self, _: object = None) -> dict[str, Any]:
        """Create the session. Repeated, it gives the same one: it has the same key."""
        check = self.check
        with self.client() as client:
            session = client.sessions.create(
                clones=[check.clone],
                ttl_seconds=check.ttl_seconds,
                seeds={check.clone: check.seed} if check.seed else None,
                idempotency_key=self.key,
            )
        return {"session_id": session.session_id, "at": time.time()}

    def look(self, seen: dict[str, Any], _: object = None) -> dict[str, Any]:
        """Look whether the session runs. What may pass is no reason to give up."""
        session_id: str = seen["session_id"]
        try:
            with self.client() as client:
                session = client.sessions.get(session_id)
        except (TransportError, ServerError, RateLimitError, DecodeError):
            session = None
        except NotFoundError:
            return seen | {"status": "over", "told": "ended"}
        told = session.status if session else "unknown"
        if session and (session.ended_at is not None or told in {"ended", "failed"}):
            return seen | {"status": "over", "told": told}
        if session and told == "running" and session.alive is not False:
            return seen | {"status": "running", "at": time.time()}
        late = time.time() - seen["since"] > WAIT_SECONDS
        return seen | {"status": "late"} if late else seen

    def attempt(self, session_id: str) -> int:
        """Try the clone. Its URL is asked for here, so that it is in no checkpoint."""
        with self.client() as client:
            session = client.sessions.get(session_id)
        urls = {**session.endpoints, **session.api_base_urls}
        ready = {clone: urls[clone] for clone in session.clone_ids if clone in urls}
        settings = Settings.from_env().of_session(session_id, ready)
        with Clones(settings, timeout=CALL_SECONDS, on_call=log_calls(logger, metrics)) as clones:
            response = clones[self.check.clone].get(self.check.path, token=SERVICE_TOKEN)
        return response.status_code

    def stop(self, session_id: str | None) -> None:
        """Stop the session; without its id, find it by its key first. One that is gone is stopped."""
        found = session_id or self.create()["session_id"]
        with self.client() as client:
            try:
                client.sessions.delete(found)
            except NotFoundError:
                logger.info("session was over", extra={"session_id": found})


def tried_again(delays: tuple[int, ...]) -> Callable[[Exception, int], RetryDecision]:
    """Try a step again after each of some delays, unless it was refused."""

    def decide(error: Exception, attempts: int) -> RetryDecision:
        if isinstance(error, REFUSALS) or attempts > len(delays):
            return RetryDecision.no_retry()
        return RetryDecision.retry(Duration.from_seconds(delays[attempts - 1]))

    return decide


def wait_on(seen: Mapping[str, Any], looks: int) -> WaitForConditionDecision:
    """Look again as long as the session starts, and there is time."""
    if seen["status"] != "starting" or looks >= LOOKS:
        return WaitForConditionDecision.stop_polling()
    return WaitForConditionDecision.continue_waiting(Duration.from_seconds(LOOK_DELAY))


def run(context: DurableContext, life: Lifecycle, created: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for the session and try the clone; return what `session_lifecycle` returns."""
    session_id: str = created["session_id"]
    config = WaitForConditionConfig[dict[str, Any]](
        wait_strategy=wait_on,
        initial_state={"session_id": session_id, "status": "starting", "since": created["at"]},
    )
    seen = context.wait_for_condition(life.look, config, name="wait")
    if seen["status"] == "over":
        raise SessionEndedError(session_id, seen["told"])
    if seen["status"] != "running":
        reason = f"session {session_id} is not running yet"
        raise RequestTimeout(reason, phase="backoff", sent=True)
    status_code = context.step(
        lambda _: life.attempt(session_id), "try", StepConfig(retry_strategy=RetryPresets.none())
    )
    return {
        "session_id": session_id,
        "clone": life.check.clone,
        "status_code": status_code,
        "passed": 200 <= status_code < 300,  # noqa: PLR2004 - as `Response.is_success`
        "start_seconds": round(max(0.0, seen["at"] - created["at"]), 3),
    }


def stop_because(
    error: BaseException, context: DurableContext, life: Lifecycle, session_id: str | None
) -> None:
    """Stop the session after an error, which is what the execution will end with."""
    source = error.source_exception if isinstance(error, BackgroundThreadError) else error
    if isinstance(source, InvocationError) and source.is_retryable():
        return  # Lambda runs the execution again
    if isinstance(error, BackgroundThreadError) and not isinstance(source, BotoClientError):
        return  # the same
    if session_id is None and isinstance(error, StepError) and error.error_type in MADE_NONE:
        return
    try:
        if isinstance(source, UnrecoverableError):  # nothing can be checkpointed any more
            life.stop(session_id)
        else:
            stop(context, life, session_id)
    except Exception as failure:  # noqa: BLE001 - the first error is what must be seen
        logger.error("session not stopped", extra={"reason": str(failure)})  # noqa: TRY400 - as above
        metrics.add_metric("SessionsNotStopped", MetricUnit.Count, 1)


def stop(context: DurableContext, life: Lifecycle, session_id: str | None) -> None:
    """Stop the session in a step of its own, tried again for minutes."""
    config = StepConfig(retry_strategy=tried_again(STOP_DELAYS))
    context.step(lambda _: life.stop(session_id), "stop", config)


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Handle one execution, or what is left of it."""
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    context.set_logger(logger)
    life = Lifecycle(read_check(event), context.execution_context.durable_execution_arn)
    session_id: str | None = None
    try:
        config = StepConfig(retry_strategy=tried_again(CREATE_DELAYS))
        created = context.step(life.create, "create", config)
        session_id = created["session_id"]
        summary = run(context, life, created)
    # Not `finally`: a wait leaves by an exception as well, one that is no `Exception`.
    except (Exception, BackgroundThreadError) as error:
        stop_because(error, context, life, session_id)
        raise
    stop(context, life, session_id)
    metrics.add_metric("SessionStart", MetricUnit.Seconds, summary["start_seconds"])
    metrics.add_metric("ChecksPassed", MetricUnit.Count, int(summary["passed"]))
    context.logger.info("session checked", extra={"summary": summary})
    return summary
