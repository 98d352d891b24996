"""What a hook may be, however it is made.

This module owns the events and content types that GitHub has, and what a URL is. It must not make a hook.
"""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["CONTENT_TYPES", "EVENTS", "is_url"]

# GitHub docs, webhooks/webhook-events-and-payloads: those that a repository's hook can have.
_NAMES = """
    * branch_protection_configuration branch_protection_rule check_run check_suite code_scanning_alert commit_comment
    create custom_property_values delete dependabot_alert deploy_key deployment deployment_protection_rule
    deployment_review deployment_status discussion discussion_comment fork gollum issue_comment issue_dependencies
    issues label member membership merge_group meta milestone package page_build ping project project_card
    project_column public pull_request pull_request_review pull_request_review_comment pull_request_review_thread push
    registry_package release repository repository_advisory repository_dispatch repository_import repository_ruleset
    repository_vulnerability_alert secret_scanning_alert secret_scanning_alert_location secret_scanning_scan
    security_and_analysis star status sub_issues team_add watch workflow_dispatch workflow_job workflow_run
"""
EVENTS = frozenset(_NAMES.split())
CONTENT_TYPES = frozenset({"json", "form"})


def is_url(url: str) -> bool:
    """Tell whether it is one that GitHub takes; whether it is ever contacted is another matter."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
