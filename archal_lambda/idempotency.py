"""Do what a request or a message asks for once, however often it comes: Powertools' idempotency on a DynamoDB table.

This module owns what is remembered and what a caller is told of it. Powertools' utility and boto3 cost a cold start
more than a handler, so they are loaded for a table only.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda.core.events import http_header
from archal_lambda.core.patterns import lazy
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import process_variable
from archal_lambda.core.timeouts import LambdaContext
from archal_lambda.errors import DecodeError
from archal_lambda.powertools import json_result, pass_on

if TYPE_CHECKING:
    from botocore.config import Config

__all__ = ["NotRunError", "Once", "answer_once", "request_key"]

T = TypeVar("T")

_VARIABLE = "ARCHAL_LAMBDA_IDEMPOTENCY_TABLE"
_PHASE_SECONDS = 1.0  # for connecting, and for each wait for bytes
_ATTEMPTS = 2
_MAX_KEY = 255  # characters; as at Stripe ("Idempotent requests")
_KEY = lazy(r"[ -~]+")
# Bytes of a result as Powertools encodes it, in ASCII. DynamoDB takes 409,600 for an item; all else is below 1,000.
_MAX_KEPT = 400_000
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class NotRunError(Exception):
    """Something was not done, because the table of what was done forbids it or cannot be asked.

    Attributes:
        status_code: 409 if the same is being done at the moment, 422 if the key was used for something else, 503 if the
            table cannot be used.
    """

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class Once:
    """A DynamoDB table that remembers what was done.

    It keeps a SHA-256 of the key and of the payload, the result as JSON, and when each is to be forgotten; DynamoDB's
    time to live deletes them. While something is done, its key is locked until the invocation's time is over, so that
    a crash locks it no longer.

    Args:
        table: Name of the table. Its key is `id`, a string, and its time to live is in `expiration`.
        keep_seconds: How long a result is remembered.
        logger: Gets an ERROR if something was done and could not be remembered.

    Attributes:
        logger: As given.
        reserve: Seconds that one operation on the table may take. Keep them back for what is written at the end.
    """

    # Both phases, twice, and the pause in between, which botocore draws from a second.
    reserve: Final = 2 * _PHASE_SECONDS * _ATTEMPTS + 1.0

    def __init__(self, table: str, *, keep_seconds: int, logger: Logger) -> None:
        from aws_lambda_powertools.utilities import idempotency  # noqa: PLC0415 - for its cost, see above

        self._powertools: Any = idempotency
        self._layer = idempotency.DynamoDBPersistenceLayer(table, boto_config=_limits())
        self._keep_seconds = keep_seconds
        self.logger = logger

    @classmethod
    def from_env(cls, *, keep_seconds: int, logger: Logger) -> Once | None:
        """Use the table that the environment names.

        Args:
            keep_seconds: As in the constructor.
            logger: As in the constructor.

        Returns:
            None if `ARCHAL_LAMBDA_IDEMPOTENCY_TABLE` is not set.
        """
        table = process_variable(_VARIABLE)
        return cls(table, keep_seconds=keep_seconds, logger=logger) if table else None

    @guarded
    def run(
        self, work: Callable[[], T], *, key: str, context: LambdaContext, payload: object = None
    ) -> T:
        """Do something, or return what it returned before.

        An error of the work is not remembered: it may be done again at once.

        Args:
            work: Does it, and returns what JSON can hold.
            key: What it is known by, not empty. A table is one space of keys: put the kind of work in front of each,
                as in `mail:4711`, where a table has several.
            context: The invocation's, for how long the key is locked at most.
            payload: What the key stands for, as JSON can hold it; another one is refused.

        Returns:
            What `work` returned, now or before. It is returned as well if it could not be remembered.

        Raises:
            NotRunError: If it was not done.
            ValueError: If the key is empty, or the payload is not what JSON can hold; nothing was done.
            Exception: What `work` raised.
        """
        if not key:
            raise ValueError("key must not be empty")
        try:
            json.dumps(payload)
        except (TypeError, ValueError, RecursionError):
            raise ValueError("payload must be what JSON can hold") from None
        errors = self._powertools.exceptions
        outcome: list[Callable[[], T]] = []
        call = self._powertools.idempotent_function(
            _call,
            data_keyword_argument="data",
            persistence_store=self._layer,
            config=self._powertools.IdempotencyConfig(
                event_key_jmespath="key",
                payload_validation_jmespath="payload",
                raise_on_no_idempotency_key=True,
                expires_after_seconds=self._keep_seconds,
                hash_function="sha256",
                lambda_context=context,
            ),
        )
        try:
            return cast("T", call(data={"key": key, "payload": payload}, work=work, into=outcome))
        except errors.IdempotencyValidationError:
            message = "the idempotency key was used for another request; use a new key"
            raise NotRunError(message, 422) from None
        except (errors.IdempotencyAlreadyInProgressError, errors.IdempotencyInconsistentStateError):
            message = "a request with this idempotency key is in progress; try again later"
            raise NotRunError(message, 409) from None
        except errors.IdempotencyPersistenceLayerError as error:
            reason = _reason(error)
            if not outcome:
                message = "not done: the table of idempotency keys cannot be used"
                raise NotRunError(f"{message} ({reason})", 503) from None
        # It was done, and doing it again is what must not happen, so whoever asked gets to know.
        self.logger.error("idempotency key not updated", extra={"reason": reason})
        return outcome[0]()


@guarded
def request_key(event: Mapping[str, Any]) -> str | None:
    """Read the header `Idempotency-Key` of an HTTP event.

    Args:
        event: An event as `read_json` takes it.

    Returns:
        The key without white space around it, or None if there is no such header.

    Raises:
        DecodeError: If it is empty, has more than 255 characters, or contains other than printable ASCII.
    """
    value = http_header(event, "idempotency-key")
    if value is None:
        return None
    key = value.strip(" \t")
    problem = ""
    if not key:
        problem = "is empty"
    elif len(key) > _MAX_KEY:
        problem = f"has more than {_MAX_KEY} characters"
    elif not _KEY.fullmatch(key):
        problem = "contains a character that is not printable ASCII"
    if problem:
        raise DecodeError(f"the header Idempotency-Key {problem}", path="$.headers")
    return key


@guarded
def answer_once(  # noqa: PLR0913 - each by name
    once: Once,
    work: Callable[[], dict[str, Any]],
    *,
    event: Mapping[str, Any],
    key: str,
    payload: object,
    context: LambdaContext,
    metrics: Metrics,
) -> dict[str, Any]:
    """Answer an HTTP event, or give once more the answer that its key has had.

    A result of 429 or 5xx is not remembered, nor is one of more than 400,000 bytes as JSON in ASCII.

    Args:
        once: The table.
        work: Makes the result, as `json_result` does without an event.
        event: The event to answer, as in `pass_on`. Another one may get the same answer in another form.
        key: The request's, as `request_key` reads it.
        payload: What is asked for, as JSON can hold it.
        context: The invocation's.
        metrics: Counts a `SetupFailures` if the table cannot be used; the log has an ERROR with the reason.

    Returns:
        The result: that of `work`, or 409 while the key is in use, 422 if it was used for another payload, 503 if the
        table cannot be used. The body of these three is `{"message": …}`.
    """
    passing: list[dict[str, Any]] = []

    def kept() -> dict[str, Any]:
        result = work()
        status_code: int = result["statusCode"]
        failed = status_code == _TOO_MANY_REQUESTS or status_code >= _SERVER_ERROR
        if failed or len(json.dumps(result)) > _MAX_KEPT:
            passing.append(result)
            raise _NotKeptError
        return result

    try:
        result = once.run(kept, key=key, payload=payload, context=context)
    except _NotKeptError:
        (result,) = passing
    except NotRunError as error:
        message = str(error)
        if error.status_code >= _SERVER_ERROR:  # only the operator can mend it
            once.logger.error("request not carried out", extra={"reason": message})  # noqa: TRY400 - it says all
            metrics.add_metric("SetupFailures", MetricUnit.Count, 1)
            message = "nothing was done: the idempotency key cannot be checked at the moment"
        return json_result(error.status_code, {"message": message}, event=event)
    body: str = result["body"]
    content = base64.b64decode(body) if result["isBase64Encoded"] else body.encode()
    response = Response(result["statusCode"], headers=result["headers"], content=content)
    return pass_on(response, event=event)


class _NotKeptError(Exception):
    """By it, Powertools forgets a key."""


def _call(
    *,
    data: object,  # noqa: ARG001 - Powertools reads it
    work: Callable[[], T],
    into: list[Callable[[], T]],
) -> T:
    """Do it, and keep how it went: Powertools' own error would take its place."""
    try:
        result = work()
    except Exception as error:
        into.append(_raiser(error))
        raise
    into.append(lambda: result)
    return result


def _raiser(error: Exception) -> Callable[[], Any]:
    def again() -> Any:  # noqa: ANN401 - it never returns
        raise error

    return again


def _limits() -> Config:
    from botocore.config import Config  # noqa: PLC0415 - see above

    return Config(
        connect_timeout=_PHASE_SECONDS,
        read_timeout=_PHASE_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )


def _reason(error: Exception) -> str:
    """Name what the table's client said: DynamoDB's own code, or the kind of the error; never its words."""
    cause = error.__cause__
    response = getattr(cause, "response", None)
    if isinstance(response, dict):
        return str(cast("dict[str, Any]", response).get("Error", {}).get("Code"))
    return type(cause).__name__
