"""Create a repository on the GitHub clone, written by hand with httpx and json."""

import base64
import json
import os

import httpx
from aws_lambda_powertools import Logger

GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"

logger = Logger()
client = httpx.Client(
    base_url=json.loads(os.environ["AGENT_CLONE_URLS"])["github"],
    headers={
        **json.loads(os.environ["AGENT_ROUTE_HEADERS"]),
        "Authorization": f"Bearer {GITHUB_TOKEN}",
    },
)


@logger.inject_lambda_context(log_event=False)
def handler(event, context):
    body = event["body"]
    new = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    left = context.get_remaining_time_in_millis() / 1000 - 1
    wanted = {"name": new["name"], "private": new.get("private", False)}
    answer = client.post("/user/repos", json=wanted, timeout=left)
    logger.info("clone call", extra={"status": answer.status_code})
    if not answer.is_success:
        return {"statusCode": answer.status_code, "body": answer.text}
    repo = answer.json()
    kept = {name: repo[name] for name in ("id", "full_name", "html_url", "private")}
    return {"statusCode": 201, "body": json.dumps(kept)}
