"""Which service a plugin works for: from variables, or from `~/.synapse/config.json`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail_synapse.finder import sdk_is_installed

if TYPE_CHECKING:
    from handrail_synapse.client import BackendClient

DEFAULT_HOST = "https://api.synapse.sh"


def create_backend_client() -> BackendClient | None:
    """Return a client of the service that is configured, or None."""
    saved = _saved()
    user = os.environ.get("SYNAPSE_PLUGIN_RUN_USER_TOKEN")
    token = os.environ.get("SYNAPSE_ACCESS_TOKEN") or saved.get("access_token")
    if not (token or user):
        return None
    from handrail_synapse.client import BackendClient  # noqa: PLC0415 - loads requests

    return BackendClient(
        os.environ.get("SYNAPSE_HOST") or saved.get("host") or DEFAULT_HOST,
        None if user else token,
        authorization_token=user,
        tenant=os.environ.get("SYNAPSE_PLUGIN_RUN_TENANT"),
        url_host=os.environ.get("SYNAPSE_PLUGIN_RUN_URL_HOST"),
    )


def _saved() -> dict[str, Any]:
    try:
        saved = json.loads((Path.home() / ".synapse" / "config.json").read_text())
    except (OSError, RuntimeError, ValueError):
        return {}
    return cast("dict[str, Any]", saved) if isinstance(saved, dict) else {}


def configured_client() -> Any:
    """Return the client for a run that is not given one, or None.

    It is that of the SDK, if the SDK is installed: with its own configuration.
    """
    if sdk_is_installed():
        with suppress(ImportError):  # Another module of that name.
            return import_module("synapse_sdk.utils.auth").create_backend_client()
    return create_backend_client()
