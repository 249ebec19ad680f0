"""Which service a plugin works for: from variables, or from `~/.synapse/config.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from handrail_synapse.clients.agent import AgentClient
    from handrail_synapse.clients.backend import BackendClient

DEFAULT_HOST = "https://api.synapse.sh"
ENV_SYNAPSE_HOST = "SYNAPSE_HOST"
ENV_SYNAPSE_ACCESS_TOKEN = "SYNAPSE_ACCESS_TOKEN"
ENV_SYNAPSE_PLUGIN_RUN_USER_TOKEN = "SYNAPSE_PLUGIN_RUN_USER_TOKEN"
ENV_SYNAPSE_PLUGIN_RUN_TENANT = "SYNAPSE_PLUGIN_RUN_TENANT"
ENV_SYNAPSE_PLUGIN_RUN_URL_HOST = "SYNAPSE_PLUGIN_RUN_URL_HOST"

# Of each field, its variable and its name in the file.
_FIELDS: Mapping[str, tuple[str, str]] = {
    "host": (ENV_SYNAPSE_HOST, "host"),
    "token": (ENV_SYNAPSE_ACCESS_TOKEN, "access_token"),
    "user_token": (ENV_SYNAPSE_PLUGIN_RUN_USER_TOKEN, "user_token"),
    "tenant": (ENV_SYNAPSE_PLUGIN_RUN_TENANT, "tenant"),
}


@dataclass
class Credentials:
    """How to reach the service; what is not known is None.

    Attributes:
        host: Its URL.
        token: Says who asks.
        user_token: Says for which user, together with `tenant`.
        tenant: The tenant of the service.
    """

    host: str | None = None
    token: str | None = field(default=None, repr=False)
    user_token: str | None = field(default=None, repr=False)
    tenant: str | None = None


def load_credentials() -> Credentials:
    """Return how to reach the service: from variables, else from `~/.synapse/config.json`."""
    found = {name: os.environ.get(variable) for name, (variable, _) in _FIELDS.items()}
    if not all(found.values()):
        saved = _saved()
        found = {name: given or saved.get(_FIELDS[name][1]) for name, given in found.items()}
    return Credentials(**found)


def _saved() -> dict[str, Any]:
    try:
        saved = json.loads((Path.home() / ".synapse" / "config.json").read_text())
    except (OSError, RuntimeError, ValueError):
        return {}
    return cast("dict[str, Any]", saved) if isinstance(saved, dict) else {}


def create_backend_client() -> BackendClient | None:
    """Return a client of the service that is configured, or None."""
    known = load_credentials()
    user = os.environ.get(ENV_SYNAPSE_PLUGIN_RUN_USER_TOKEN)
    if not (known.token or user):
        return None
    from handrail_synapse.clients.backend import BackendClient  # noqa: PLC0415 - where there is one

    return BackendClient(
        known.host or DEFAULT_HOST,
        None if user else known.token,
        authorization_token=user,
        tenant=os.environ.get(ENV_SYNAPSE_PLUGIN_RUN_TENANT),
        url_host=os.environ.get(ENV_SYNAPSE_PLUGIN_RUN_URL_HOST),
    )


def create_agent_client() -> AgentClient | None:
    """Return a client of the agent of SYNAPSE_AGENT_URL and SYNAPSE_AGENT_TOKEN, or None."""
    url, token = (os.environ.get(f"SYNAPSE_AGENT_{name}") for name in ("URL", "TOKEN"))
    if not (url and token):
        return None
    from handrail_synapse.clients.agent import AgentClient  # noqa: PLC0415 - where there is one

    return AgentClient(
        url,
        token,
        user_token=os.environ.get(ENV_SYNAPSE_PLUGIN_RUN_USER_TOKEN),
        tenant=os.environ.get(ENV_SYNAPSE_PLUGIN_RUN_TENANT),
    )


def configured_client() -> Any:
    """Return the client for a run that is not given one, or None.

    It is that of the SDK, if the SDK is installed: with its own configuration.
    """
    from handrail_synapse.finder import sdk_is_installed  # noqa: PLC0415 - of other packages

    if sdk_is_installed():
        with suppress(ImportError):  # Another module of that name.
            return import_module("synapse_sdk.utils.auth").create_backend_client()
    return create_backend_client()
