"""Create a repository on the GitHub clone: a Cloudflare Python Worker.

It does what `create_repo` does on Lambda: reads `{"name": …, "description": …, "private": …}` and answers 201 with the
repository. The bindings are `ARCHAL_TOKEN`, which is best a secret, and `AGENT_CLONE_URLS` or `ARCHAL_SESSION_ID`.
"""

from __future__ import annotations

import msgspec
from workers import Request, Response, WorkerEntrypoint

from archal_lambda import ArchalError, AsyncClones, DecodeError
from archal_lambda.edge import (
    failure_response,
    json_response,
    log_call,
    read_json,
    settings_from_env,
)

# The dummy that Archal documents for GitHub clones; the real GitHub refuses it.
GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"  # noqa: S105 - public, see above
BUDGET_SECONDS = 15.0


class NewRepo(msgspec.Struct, omit_defaults=True):
    """What the caller asks for."""

    name: str
    description: str | None = None
    private: bool = False


class Repo(msgspec.Struct):
    """What the caller gets. The clone's response has more fields."""

    id: int
    full_name: str
    html_url: str
    private: bool


class Default(WorkerEntrypoint):
    """The Worker. Its class must have this name."""

    async def fetch(self, request: Request) -> Response:
        """Handle one request: a POST with the repository as JSON."""
        if request.method != "POST":
            return json_response(405, {"message": "POST a repository"})
        try:
            new = await read_json(request, NewRepo)
        except DecodeError as error:
            return json_response(400, {"message": str(error)})
        try:
            # Made anew for each request: it opens nothing, and a wrong binding is a 502.
            settings = settings_from_env(self.env)
            clones = AsyncClones(settings, timeout=BUDGET_SECONDS, on_call=log_call)
            response = await clones["github"].post("/user/repos", json=new, token=GITHUB_TOKEN)
            return json_response(201, response.raise_for_status().decode(Repo))
        except ArchalError as error:
            return failure_response(error)
