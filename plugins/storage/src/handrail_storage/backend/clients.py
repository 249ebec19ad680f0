"""Creates the clients of object storages, with credentials from the usual place of each cloud."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.places import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_MEMORIES: dict[str, Any] = {}

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_OF_PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
_CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# Settings that only the AWS SDK can turn into credentials.
_FOR_SDK = ("role_arn", "sso_session", "sso_start_url", "credential_process")


def make_client(
    place: Place, *, retries: int, caller: Caller = ANYBODY, timeout: float = 300.0
) -> ObjectStore:
    """Return a client for the bucket of a place.

    Args:
        place: The place.
        retries: Number of retries of the client itself, with growing pauses.
        caller: The pack, for the class of errors.
        timeout: Seconds for one request.

    Raises:
        StorageError: The settings of the client are malformed.
    """
    shared: dict[str, Any] = {
        "client_options": {"connect_timeout": "10s", "timeout": f"{timeout}s"},
        "retry_config": {
            "max_retries": retries,
            "retry_timeout": timedelta(minutes=5),
            "backoff": {
                "init_backoff": timedelta(milliseconds=200),
                "max_backoff": timedelta(seconds=10),
                "base": 2,
            },
        },
    }
    try:
        return _MAKERS[place.scheme](place, shared, caller)
    except (BaseError, ValueError) as error:
        text = str(error).partition("\n\nDebug source:")[0]
        raise caller.error(f"{place.shown} cannot be opened: {text}") from error


def _s3(place: Place, shared: dict[str, Any], caller: Caller) -> ObjectStore:
    environment = os.environ
    config = profile_settings(environment, caller)
    provider = config.pop("provider", None)
    if (
        environment.get("AWS_ACCESS_KEY_ID") == ""
        and not config.get("access_key_id")
        and not provider
    ):
        # The client would sign with it; the servers' answers to that say nothing about it.
        raise caller.error(
            "there are no credentials: AWS_ACCESS_KEY_ID is empty",
            ways_out=("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or unset both",),
        )
    given = next((environment[name] for name in ENDPOINTS if environment.get(name)), None)
    endpoint = given or config.get("endpoint")
    if endpoint is not None:
        config["endpoint"] = endpoint
        _allow(endpoint, shared)
    return S3Store(place.bucket, credential_provider=provider, **config, **shared)


def _allow(endpoint: str, shared: dict[str, Any]) -> None:
    """Let the client use an endpoint without TLS if its URL begins with http://."""
    if endpoint.startswith("http://"):
        shared["client_options"]["allow_http"] = True


def _gs(place: Place, shared: dict[str, Any], _caller: Caller) -> ObjectStore:
    return GCSStore(place.bucket, **shared)


def _az(place: Place, shared: dict[str, Any], _caller: Caller) -> ObjectStore:
    for name in ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"):
        _allow(os.environ.get(name, ""), shared)
    return AzureStore(place.bucket, **shared)


def _memory(place: Place, _shared: dict[str, Any], _caller: Caller) -> ObjectStore:
    store: ObjectStore = _MEMORIES.setdefault(place.bucket, MemoryStore())
    return store


_MAKERS = {"s3": _s3, "gs": _gs, "az": _az, "memory": _memory}


def profile_settings(environment: Mapping[str, str], caller: Caller = ANYBODY) -> dict[str, Any]:
    """Return the settings of the AWS profile that the environment does not override.

    Reads `~/.aws/credentials` and `~/.aws/config` (or the files that AWS_SHARED_CREDENTIALS_FILE
    and AWS_CONFIG_FILE name), in the profile AWS_PROFILE or `default`. For profiles that need the
    AWS SDK (roles, SSO, processes), the settings have a `provider` from boto3.

    Raises:
        StorageError: A file is not readable, the profile is missing, or boto3 is.
    """
    named = environment.get("AWS_PROFILE")
    given = bool(environment.get("AWS_ACCESS_KEY_ID"))
    if given and not named:
        return {}
    profile = named or "default"
    home = Path(environment.get("HOME") or Path.home()) / ".aws"
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials")
    config = Path(environment.get("AWS_CONFIG_FILE") or home / "config")
    credentials, config = credentials.expanduser(), config.expanduser()
    section = profile if profile == "default" else f"profile {profile}"
    values = {**_section(config, section, caller), **_section(credentials, profile, caller)}
    if not values:
        if named:
            raise caller.error(
                f"there is no AWS profile {named} in {credentials} or {config}",
                ways_out=("set AWS_PROFILE to one that is there, or unset it",),
            )
        return {}
    found: dict[str, Any] = {
        ours: values[its]
        for its, ours in _OF_PROFILE.items()
        if its in values and not (given and its in _CREDENTIALS)
    }
    if not (given or found.get("access_key_id")) and any(name in values for name in _FOR_SDK):
        found["provider"] = _provider(profile, caller)
    if environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        found.pop("region", None)
    return found


def _section(path: Path, section: str, caller: Caller) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        return {}
    except configparser.ParsingError as error:
        errors: list[tuple[int, str]] = getattr(error, "errors", [])
        line: object = errors[0][0] if errors else getattr(error, "lineno", "?")
        # Its own message quotes the line, which may contain a secret.
        raise caller.error(f"{path} cannot be read: line {line} makes no sense") from None
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise caller.error(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return dict(parser[section]) if parser.has_section(section) else {}


def _provider(profile: str, caller: Caller) -> Any:
    try:
        session = import_module("boto3.session")  # An extra, without types.
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415
    except ImportError as error:
        raise caller.error(
            f"the AWS profile {profile} gets its credentials from a role, SSO or a process, "
            "which takes the AWS SDK",
            ways_out=(f"pip install '{caller.distribution}[aws]'",),
        ) from error
    return Boto3CredentialProvider(session.Session(profile_name=profile))
