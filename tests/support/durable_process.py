"""The durable handler in a process of its own for each invocation, which may be killed: `python durable_process.py`.

It is told over a connection what to run. What it asks of the service that keeps the checkpoints goes back over it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing.connection import Client, Listener


def invoke(event, victim):
    """Run one invocation, and let it kill itself once it has done the work of one step; give what it returned."""
    fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
    service = fields.pop("service_client")
    with Listener(family="AF_UNIX") as listener:
        command = [sys.executable, __file__, listener.address]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as child:
            try:
                with listener.accept() as connection:
                    connection.send((fields, victim))
                    while True:
                        name, arguments = connection.recv()
                        if name == "return":
                            return arguments
                        connection.send(getattr(service, name)(**arguments))
            except EOFError:
                raise RuntimeError(f"Runtime.ExitError: {child.wait()}") from None


class _Service:
    def __init__(self, connection):
        self._connection = connection

    def checkpoint(self, durable_execution_arn, checkpoint_token, updates, client_token):
        return self._ask("checkpoint", locals())

    def get_execution_state(
        self, durable_execution_arn, checkpoint_token, next_marker, max_items=1000
    ):
        return self._ask("get_execution_state", locals())

    def _ask(self, name, arguments):
        self._connection.send((name, {k: v for k, v in arguments.items() if k != "self"}))
        return self._connection.recv()


def main():
    from aws_durable_execution_sdk_python.execution import (  # noqa: PLC0415 - the parent needs none of it
        DurableExecutionInvocationInputWithClient,
    )

    from archal_lambda.handlers import durable_lifecycle  # noqa: PLC0415
    from archal_lambda.testing import LocalContext  # noqa: PLC0415

    with Client(sys.argv[1]) as connection:
        fields, victim = connection.recv()
        if victim is not None:
            whole = getattr(durable_lifecycle.Lifecycle, victim)

            def dying(self, *arguments):
                whole(self, *arguments)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(durable_lifecycle.Lifecycle, victim, dying)
        event = DurableExecutionInvocationInputWithClient(
            **fields, service_client=_Service(connection)
        )
        connection.send(("return", durable_lifecycle.handler(event, LocalContext(timeout=60.0))))


if __name__ == "__main__":
    main()
