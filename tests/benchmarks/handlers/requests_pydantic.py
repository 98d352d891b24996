"""Create a repository on the GitHub clone, written by hand with requests and pydantic."""

import base64
import json
import os

import requests
from aws_lambda_powertools import Logger
from pydantic import BaseModel

GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"


class NewRepo(BaseModel):
    name: str
    description: str | None = None
    private: bool = False


class Repo(BaseModel):
    id: int
    full_name: str
    html_url: str
    private: bool


logger = Logger()
session = requests.Session()
session.headers.update(json.loads(os.environ["AGENT_ROUTE_HEADERS"]))
session.headers["Authorization"] = f"Bearer {GITHUB_TOKEN}"
base = json.loads(os.environ["AGENT_CLONE_URLS"])["github"]


@logger.inject_lambda_context(log_event=False)
def handler(event, context):
    body = event["body"]
    new = NewRepo.model_validate_json(
        base64.b64decode(body) if event.get("isBase64Encoded") else body
    )
    left = context.get_remaining_time_in_millis() / 1000 - 1
    answer = session.post(f"{base}/user/repos", json=new.model_dump(), timeout=left)
    logger.info("clone call", extra={"status": answer.status_code})
    if not answer.ok:
        return {"statusCode": answer.status_code, "body": answer.text}
    repo = Repo.model_validate_json(answer.content)
    return {"statusCode": 201, "body": repo.model_dump_json()}
