"""AWS's Runtime Interface Emulator around a function."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import subprocess
import time
from http.client import HTTPConnection

PATH = "/2015-03-31/functions/function/invocations"
PLATFORM_LINE = re.compile(r"(START|END|REPORT) RequestId: ")
PATIENCE = 20.0  # seconds for what should take milliseconds


@dataclasses.dataclass(frozen=True)
class Reply:
    """What the caller of a function gets."""

    status: int
    text: str

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def http(self):
        """Status and decoded body of an HTTP function's result."""
        result = self.json
        return result["statusCode"], json.loads(result["body"])


class Emulator:
    """One execution environment. Callers must take turns: the emulator crashes on two calls at once.

    Args:
        program: The emulator.
        function: What it runs.
        handler: The handler's name.
        environ: The whole environment.
        folder: An empty folder for what is printed.
    """

    def __init__(self, program, function, handler, environ, folder):
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        for _ in range(5):  # a free port may be taken before it is used
            self._port, api_port = free_ports()
            addresses = [
                f"--runtime-interface-emulator-address=127.0.0.1:{self._port}",
                f"--runtime-api-address=127.0.0.1:{api_port}",
            ]
            with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
                self._process = subprocess.Popen(
                    [program, "--log-level", "info", *addresses, *function.command(handler)],
                    cwd=function.task_root,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                )
            if self._started():
                return
        raise RuntimeError(f"the emulator does not start: {self.output}")

    def invoke(self, event):
        """Invoke the function: with a value, sent as JSON, or with bytes, sent as they are."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", PATH, body)
            answer = connection.getresponse()
            return Reply(answer.status, answer.read().decode())
        finally:
            connection.close()

    @property
    def output(self):
        """Everything printed so far, by the function and by the platform."""
        return self._stdout.read_text() + self._stderr.read_text()

    def log(self, lines):
        """Give the function's log lines, each of which must be JSON, once there are so many."""
        deadline = time.monotonic() + PATIENCE
        while True:
            # The last line may be half written.
            printed = self._stdout.read_text().split("\n")[:-1]
            own = [line for line in printed if line and not PLATFORM_LINE.match(line)]
            if len(own) >= lines or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        return [json.loads(line) for line in own]

    def stop(self):
        """Stop it as Lambda does, and the function with it."""
        died = self._process.poll()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
        assert died is None, f"the emulator ended by itself with {died}: {self.output}"

    def _started(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.005)
            else:
                return self._process.poll() is None
        self._process.kill()
        self._process.wait()
        return False


def free_ports():
    """Find two ports that are free now."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        return one.getsockname()[1], other.getsockname()[1]
