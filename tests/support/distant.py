"""A relay that puts a server as far away as a round trip takes, and Node's server with a keep-alive of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading

NODE = """
const posts = [];
const server = require('http').createServer((request, response) => {
  request.resume().on('end', () => {
    if (request.method === 'POST') posts.push(request.url);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(request.method === 'POST' ? {} : posts));
  });
});
server.keepAliveTimeout = Number(process.argv[1]);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@contextlib.contextmanager
def node_server(keep_alive_ms):
    """Run Node's own server; it closes what is idle for so long, tells of whole seconds, and lists the POSTs it got."""
    process = subprocess.Popen(
        ["node", "-e", NODE, str(keep_alive_ms)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10.0)
        process.stdout.close()


class Distance:
    """Relays connections to a port on loopback, each byte and each end delayed by half a round trip."""

    def __init__(self, port, round_trip):
        self._target = port
        self._delay = round_trip / 2
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="distance")
        self._tasks = set()

    def __enter__(self):
        self._thread.start()
        starting = asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10.0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    async def _relay(self, near_reader, near):
        self._tasks.add(asyncio.current_task())
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        with contextlib.suppress(
            asyncio.CancelledError
        ):  # the end of the test; streams would complain of it
            await asyncio.gather(self._pass(near_reader, far), self._pass(far_reader, near))
        near.close()
        far.close()

    async def _pass(self, reader, writer):
        # Every piece waits for itself, so that a later one is not held up by those before it.
        now = self._loop.time
        queue = asyncio.Queue()

        async def arrive():
            while True:
                at, data = await queue.get()
                await asyncio.sleep(at - now())
                if not data:
                    with contextlib.suppress(OSError):
                        writer.write_eof()
                    return
                writer.write(data)

        arriving = asyncio.ensure_future(arrive())
        try:
            while True:
                try:
                    data = await reader.read(65536)
                except OSError:
                    data = b""
                queue.put_nowait((now() + self._delay, data))
                if not data:
                    break
            await arriving
        finally:
            arriving.cancel()

    async def _end(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
