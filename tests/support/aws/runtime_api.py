"""Lambda's Runtime API as far as the runtime client uses it, and the runtime client as a process.

The emulator knows neither SnapStart nor, unprivileged, concurrency in one environment; here a test is the platform.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

PATIENCE = 30.0  # seconds for what should take milliseconds
ROOT = "/2018-06-01/runtime"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an invocation, or the start of the runtime, ended."""

    kind: str
    value: object


class RuntimeApi(ThreadingMixIn, HTTPServer):
    """The server. Each runtime process that asks for work waits until `invoke` gives it some.

    Args:
        timeout: The function's timeout in seconds.

    Attributes:
        tenant_id: For whom the function is invoked, where tenants are isolated.
    """

    daemon_threads = False
    tenant_id = None

    def __init__(self, timeout):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.function_timeout = timeout
        self.idle = queue.SimpleQueue()
        self.snapshots = queue.SimpleQueue()
        self.failures = queue.SimpleQueue()
        self.outcomes = {}
        self.over = False
        self._restored = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def invoke(self, *events):
        """Invoke the function, with several events at once on as many processes; give the results in order."""
        processes = [self.idle.get(timeout=PATIENCE) for _ in events]
        ids = [str(uuid.uuid4()) for _ in events]
        for request_id in ids:
            self.outcomes[request_id] = queue.SimpleQueue()
        for process, request_id, event in zip(processes, ids, events, strict=True):
            process.put((request_id, event))
        return [self.outcomes[request_id].get(timeout=PATIENCE) for request_id in ids]

    def wait_for_snapshot(self, processes=1):
        """Wait until the runtime is ready to be frozen."""
        for _ in range(processes):
            self.snapshots.get(timeout=PATIENCE)

    def restore(self):
        """Let the runtime run on, as after a restored snapshot."""
        self._restored.set()

    def hold_snapshot(self):
        """Hold a runtime until it is restored; called on its own thread."""
        self.snapshots.put(None)
        self._restored.wait(PATIENCE)

    def __enter__(self):
        self._thread.start()
        return self

    def handle_error(self, request, client_address):
        """Let a runtime that is killed hang up; everything else is a fault of the test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def __exit__(self, *_):
        self.over = True
        self._restored.set()
        while not self.idle.empty():
            self.idle.get().put(None)
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        if self.path == f"{ROOT}/restore/next":
            self.server.hold_snapshot()
            self._answer(200)
            return
        work = queue.SimpleQueue()
        self.server.idle.put(work)
        # Asked in this order, so that a runtime that comes while the server is closed is not waited for.
        job = None if self.server.over else work.get()
        if job is None:
            self.close_connection = True
            return
        request_id, event = job
        deadline = time.time() + self.server.function_timeout
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(round(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
            "Content-Type": "application/json",
        }
        if self.server.tenant_id is not None:
            headers["Lambda-Runtime-Aws-Tenant-Id"] = self.server.tenant_id
        self._answer(200, json.dumps(event).encode(), headers)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        *_, owner, kind = self.path.split("/")
        outcome = Outcome(
            f"{owner} {kind}" if owner in {"init", "restore"} else kind, json.loads(body)
        )
        self.server.outcomes.get(owner, self.server.failures).put(outcome)
        self._answer(202)

    def _answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Runtime:
    """The runtime client as a process of its own, with all it forks.

    Args:
        function: What it runs.
        handler: The handler's name.
        environ: The whole environment.
        output: Where to write what it prints.

    Attributes:
        pid: The process that was started.
    """

    def __init__(self, function, handler, environ, output):
        with output.open("wb") as out:
            self._process = subprocess.Popen(
                function.command(handler),
                cwd=function.task_root,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._output = output

    @property
    def output(self):
        """Everything printed so far."""
        return self._output.read_text()

    def freeze(self):
        """Stop the process where it is; returns when it has stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self):
        """Let it run on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self):
        """Kill it and what it forked, frozen or not."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
