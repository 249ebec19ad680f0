"""BackendClient: what an upload asks of the service, with retries, and errors by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, Field

from handrail_synapse.exceptions import (
    ClientConnectionError,
    ClientError,
    ClientResponseIncompleteError,
    ClientTimeoutError,
    ServerError,
    raise_for_status,
)

try:
    import requests
    from requests import exceptions as errors
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import MaxRetryError, ProtocolError, ReadTimeoutError
    from urllib3.util.retry import Retry
except ModuleNotFoundError as error:
    raise ImportError(
        "the client of the service needs requests:  pip install 'handrail-synapse[client]'"
    ) from error

_CHUNK = 50 << 20
_LONGEST_PAUSE = 60.0  # Seconds, whatever the service asks for.
# Sent again, they might do their work twice.
_ONCE = frozenset({"POST", "PATCH"})

Answer = Any
"""What the service answers in JSON: most of it a dict."""


class ServiceRetry(Retry):
    """Tries again what the service refused for a moment, or what did not reach it."""

    def get_retry_after(self, response: Any) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, _LONGEST_PAUSE)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> ServiceRetry:
        begun = isinstance(error, ReadTimeoutError | ProtocolError)
        if error is not None and begun and str(method).upper() in _ONCE:
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


class Storage(BaseModel):
    """A storage of the service; its `configuration` may have secrets."""

    id: int
    name: str
    provider: str
    configuration: dict[str, Any] = Field(repr=False)


class BackendClient:
    """A client of the service; methods are called like what they ask for.

    Requests are tried again, three times with growing pauses: those that cannot be connected, or
    are answered with 502, 503 or 504; those that break off, unless they might do their work twice.

    Args:
        base_url: The URL of the service.
        access_token: Says who asks.
        authorization_token: Says for which user.
        tenant: The tenant of the service.
        url_host: From where the files of the service are fetched, such as `internal`.
        timeout: Seconds to connect, and to wait for an answer.
        backoff: Seconds of the first pause.
    """

    def __init__(
        self,
        base_url: str,
        access_token: str | None = None,
        *,
        authorization_token: str | None = None,
        tenant: str | None = None,
        url_host: str | None = None,
        timeout: tuple[float, float] = (5, 15),
        backoff: float = 2,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.access_token = access_token
        self.authorization_token = authorization_token
        self.tenant = tenant
        self._timeout = timeout
        self._defaults = {"url_host": url_host} if url_host else {}
        self._session = requests.Session()
        retry = ServiceRetry(
            total=3,
            backoff_factor=backoff,
            status_forcelist=[502, 503, 504],
            allowed_methods=["GET", "POST", "PUT"],
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> BackendClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        # Other attributes are secrets.
        return f"<{type(self).__name__} {self.base_url}>"

    def get_storage(self, storage_id: int) -> Storage:
        """Return a storage with its configuration."""
        asked = {"with_configuration": "true"}
        return Storage.model_validate(self._get(f"storages/{storage_id}/", params=asked))

    def get_data_collection(self, collection_id: int) -> Answer:
        """Return a data collection with its file specifications."""
        asked = {"expand": "file_specifications"}
        return self._get(f"data_collections/{collection_id}/", params=asked)

    def get_project(self, project_id: int) -> Answer:
        """Return a project."""
        return self._get(f"projects/{project_id}/")

    def create_data_file(self, file_path: Any, *, use_chunked_upload: bool | None = None) -> Answer:
        """Send a file, and return what the service has of it: `id`, `checksum`, `size`.

        Args:
            file_path: A path of this machine, or one of a storage, which is read at once.
            use_chunked_upload: Whether it is sent in chunks; by default, if it has above 50 MiB.

        Raises:
            FileNotFoundError: There is no such file.
            ClientError: The service does not have it.
        """
        path: Any = Path(file_path) if isinstance(file_path, str) else file_path
        if not path.exists():
            raise FileNotFoundError(f"File not found: {path}")
        if not isinstance(path, Path):
            return self._post("data_files/", files={"file": (path.name, path.read_bytes())})
        if use_chunked_upload is None:
            use_chunked_upload = path.stat().st_size > _CHUNK
        if use_chunked_upload:
            sent = self._send_chunks(path)
            return self._post("data_files/", data={"chunked_upload": sent["id"]})
        return self._post("data_files/", files={"file": path})

    def _send_chunks(self, path: Path) -> Answer:
        size, offset, url = path.stat().st_size, 0, "chunked_upload/"
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as file:
            for chunk in iter(partial(file.read, _CHUNK), b""):
                digest.update(chunk)
                about = f"bytes {offset}-{offset + len(chunk) - 1}/{size}"
                there = self._request(
                    "PUT",
                    url,
                    data={"filename": path.name},
                    files={"file": chunk},
                    headers={"Content-Range": about},
                )
                offset, url = there["offset"], there["url"]
        return self._post(url, data={"md5": digest.hexdigest()})

    def upload_data_file(
        self,
        data: dict[str, Any],
        collection_id: int,
        *,
        use_chunked_upload: bool | None = None,
    ) -> Answer:
        """Send the `files` of a data unit, and return what `create_data_units` takes for it."""
        sent: dict[str, Any] = {}
        for name, path in data.get("files", {}).items():
            there = self.create_data_file(path, use_chunked_upload=use_chunked_upload)
            sent[name] = {"checksum": there["checksum"], "path": str(path)}
        made = {"files": sent, "data_collection": collection_id, "meta": data.get("meta", {})}
        groups: Any = data.get("groups")
        if groups:
            made["groups"] = [groups] if isinstance(groups, str) else list(groups)
        return made

    def create_data_units(self, data: dict[str, Any] | list[dict[str, Any]]) -> Any:
        """Create data units of files that were sent, and return them."""
        return self._post("data_units/", data=data)

    def _get(self, path: str, **options: Any) -> Any:
        return self._request("GET", path, **options)

    def _post(self, path: str, **options: Any) -> Any:
        return self._request("POST", path, **options)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, and return its answer: JSON, a text, or None.

        Raises:
            ClientError: The service was not reached, or answered with an error.
        """
        headers = self._headers() | options.pop("headers", {})
        options["params"] = {**self._defaults, **(options.get("params") or {})}
        url = path if "://" in path else f"{self.base_url}/{path.lstrip('/')}"
        with ExitStack() as stack:
            if "files" in options:
                options["files"] = _opened(options["files"], stack)
            elif "data" in options:
                headers["Content-Type"] = "application/json"
                options["data"] = json.dumps(options["data"])
            try:
                response = self._session.request(
                    method, url, headers=headers, timeout=self._timeout, **options
                )
            except errors.RequestException as error:
                _raise(error, method)
        if not response.ok:
            raise_for_status(response.status_code, _json(response) or response.reason)
        return None if response.status_code == 204 else _json(response)

    def _headers(self) -> dict[str, str]:
        tokens = {
            "Synapse-Access-Token": self.access_token,
            "Authorization": self.authorization_token,
            "Synapse-Tenant": self.tenant,
        }
        return {name: f"Token {token}" for name, token in tokens.items() if token}


def _opened(files: Mapping[str, Any], stack: ExitStack) -> dict[str, Any]:
    return {
        name: (file.name, stack.enter_context(file.open("rb"))) if isinstance(file, Path) else file
        for name, file in files.items()
    }


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _raise(error: errors.RequestException, method: str) -> NoReturn:
    """Raise what plugins catch for an error of the library."""
    said = " ".join(str(error).split())[:100]
    made: ClientError
    if isinstance(error, errors.ConnectTimeout):
        made = ClientTimeoutError("the service was not reached in time")
    elif method in _ONCE and _begun(error):
        made = ClientResponseIncompleteError(f"the answer of the service broke off: {said}")
    elif isinstance(error, errors.ReadTimeout):
        made = ClientTimeoutError("the service did not answer in time")
    elif isinstance(error, errors.RetryError):
        made = ServerError(503, f"the service was tried again in vain: {said}")
    else:
        made = ClientConnectionError(f"the service was not reached: {said}")
    raise made from error


def _begun(error: errors.RequestException) -> bool:
    """Return whether the service may have begun to work on a request that broke off."""
    if isinstance(
        error, errors.ReadTimeout | errors.ChunkedEncodingError | errors.ContentDecodingError
    ):
        return True
    cause: object = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, ReadTimeoutError | ProtocolError)
