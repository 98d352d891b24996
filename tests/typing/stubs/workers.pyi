from typing import Any

class Request:
    method: str
    url: str
    async def bytes(self) -> bytes: ...

class Response:
    def __init__(
        self,
        body: str | bytes | None = None,
        status: int | None = None,
        status_text: str = "",
        headers: Any = None,
    ) -> None: ...
    js_object: Any

class WorkerEntrypoint:
    env: Any
    ctx: Any
    def __init__(self, ctx: Any, env: Any) -> None: ...
