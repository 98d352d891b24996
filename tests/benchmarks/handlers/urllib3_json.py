"""Create a repository on the GitHub clone, written by hand with urllib3 and json."""

import base64
import json
import os

import urllib3
from aws_lambda_powertools import Logger

GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"

logger = Logger()
pool = urllib3.PoolManager(retries=False)
base = json.loads(os.environ["AGENT_CLONE_URLS"])["github"]
headers = {
    **json.loads(os.environ["AGENT_ROUTE_HEADERS"]),
    "Authorization": f"Bearer {GITHUB_TOKEN}",
    "Content-Type": "application/json",
}


@logger.inject_lambda_context(log_event=False)
def handler(event, context):
    body = event["body"]
    new = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    left = context.get_remaining_time_in_millis() / 1000 - 1
    answer = pool.request(
        "POST",
        f"{base}/user/repos",
        body=json.dumps({"name": new["name"], "private": new.get("private", False)}),
        headers=headers,
        timeout=urllib3.Timeout(total=left),
    )
    logger.info("clone call", extra={"status": answer.status})
    if answer.status >= 300:
        return {"statusCode": answer.status, "body": answer.data.decode()}
    repo = answer.json()
    kept = {name: repo[name] for name in ("id", "full_name", "html_url", "private")}
    return {"statusCode": 201, "body": json.dumps(kept)}
