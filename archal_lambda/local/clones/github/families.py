"""Which paths are GitHub's, built here or not.

This module owns the families of paths of GitHub's REST API: the first segment, and the one behind an account or a
repository (GitHub's OpenAPI description, @octokit/openapi 23.0.2, against which a test holds them). It must not know
which of them this clone serves.
"""

from __future__ import annotations

__all__ = ["is_githubs"]

_METHODS = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})
_FIRST = """
    advisories agents app app-manifests applications apps assignments classrooms codes_of_conduct credentials emojis
    enterprises events feeds gists gitignore graphql installation issues licenses markdown marketplace_listing meta
    networks notifications octocat organizations orgs projects rate_limit repos repositories search teams user users
    versions zen
"""
# What comes behind `/repos/{owner}/{repo}/`, and so on: how many segments there are before it, and its names.
_BEHIND = {
    "repos": (
        3,
        """
        actions activity agents assignees attestations autolinks automated-security-fixes branches bundle check-runs
        check-suites code-quality code-scanning code-security-configuration codeowners codespaces collaborators comments
        commits community compare contents contributors copilot dependabot dependency-graph deployments dispatches
        environments events forks generate git hash-algorithm hooks immutable-releases import installation
        interaction-limits invitations issue-types issues keys labels languages license merge-upstream merges milestones
        notifications pages private-vulnerability-reporting projects properties pulls readme releases rules rulesets
        secret-scanning security-advisories stacks stargazers stats statuses subscribers subscription tags tarball teams
        topics traffic transfer vulnerability-alerts zipball
        """,
    ),
    "users": (
        2,
        """
        attestations copilot-spaces docker events followers following gists gpg_keys hovercard installation keys orgs
        packages projects projectsV2 received_events repos settings social_accounts ssh_signing_keys starred
        subscriptions
        """,
    ),
    "search": (1, "code commits issues labels repositories topics users"),
}
_FAMILIES = frozenset(_FIRST.split())
_NAMES = {family: (depth, frozenset(names.split())) for family, (depth, names) in _BEHIND.items()}


def is_githubs(method: str, path: str) -> bool:
    """Tell whether GitHub has such a path; of its rarer families, every path counts."""
    segments = path.split("/")[1:]
    if method not in _METHODS:
        return False
    if len(segments) == 1:
        return segments[0] in _FAMILIES - {"repos", "search"} or segments == [""]
    if segments[0] not in _FAMILIES or "" in segments:
        return False
    if segments[0] not in _NAMES:
        return True
    depth, names = _NAMES[segments[0]]
    return segments[depth] in names if len(segments) > depth else len(segments) == depth
