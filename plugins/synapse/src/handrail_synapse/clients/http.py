"""BaseClient: requests to a service, with retries, and errors that say what happened."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

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

if TYPE_CHECKING:
    from pydantic import BaseModel

_LONGEST_PAUSE = 60.0  # Seconds, whatever the service asks for.
_LONGEST_PAGE_PAUSE = 30.0
# Sent again, they might do their work twice.
_ONCE = frozenset({"POST", "PATCH"})


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


class BaseClient:
    """Sends requests, and returns what is answered in JSON.

    Requests are tried again, three times with growing pauses: those that cannot be connected, or
    are answered with 502, 503 or 504; those that break off, unless they might do their work twice.

    Args:
        base_url: The URL that paths are added to.
        timeout: Seconds to `connect`, and to `read`; by default, 5 and 15.

    Attributes:
        name: The service, for errors.
        page_size: Items of a list in one answer.
        default_params: Query parameters of each request that does not give its own.
    """

    name: str | None = None
    page_size: int = 100

    def __init__(self, base_url: str, timeout: dict[str, int] | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout = {"connect": 5, "read": 15} if timeout is None else timeout
        self.default_params: dict[str, str] = {}
        self._session: requests.Session | None = None
        self._retry_config: dict[str, Any] = {
            "total": 3,
            "backoff_factor": 2,
            "status_forcelist": [502, 503, 504],
            "allowed_methods": ["GET", "POST", "PUT", "DELETE", "PATCH"],
            "respect_retry_after_header": True,
        }

    @property
    def requests_session(self) -> requests.Session:
        """The session of the connections, made when it is needed."""
        if self._session is None:
            self._session = requests.Session()
            for scheme in ("http://", "https://"):
                adapter = HTTPAdapter(max_retries=ServiceRetry(**self._retry_config))
                self._session.mount(scheme, adapter)
        return self._session

    def reset_connection(self) -> None:
        """Close the connections; the next request makes new ones."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def close(self) -> None:
        """Close the connections."""
        self.reset_connection()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        # Other attributes are secrets.
        return f"<{type(self).__name__} {self.base_url}>"

    def exists(self, api: str, *arguments: Any, **named: Any) -> bool:
        """Return whether the list that a method returns has anything in it."""
        found: dict[str, Any] = getattr(self, api)(*arguments, **named)
        return bool(found["count"] > 0)

    def _get_headers(self) -> dict[str, str]:
        """Return the headers that say who asks."""
        return {}

    # Requests

    def _request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, and return its answer: JSON, a text, or None.

        Raises:
            ClientError: The service was not reached, or answered with an error.
        """
        headers = self._get_headers() | options.pop("headers", {})
        if self.default_params:
            options["params"] = {**self.default_params, **(options.get("params") or {})}
        timeout = _both(options.pop("timeout", self.timeout))
        with ExitStack() as stack:
            if method.upper() in ("POST", "PUT", "PATCH"):
                _encode(options, headers, stack)
            try:
                send = getattr(self.requests_session, method.lower())
                response: requests.Response = send(
                    self._url(path), headers=headers, timeout=timeout, **options
                )
            except errors.RequestException as error:
                self._raise(error, method.upper(), timeout)
        if not response.ok:
            raise_for_status(response.status_code, _json(response) or response.reason)
        return None if response.status_code == 204 else _json(response)

    def _url(self, path: str) -> str:
        if path.startswith(("http://", "https://")):
            return path
        return f"{self.base_url}/{path.lstrip('/')}"

    def _raise(
        self, error: errors.RequestException, method: str, timeout: tuple[float, float]
    ) -> NoReturn:
        """Raise what plugins catch for an error of the library."""
        said = " ".join(str(error).split())[:100]
        if isinstance(error, errors.ConnectTimeout):
            raise ClientTimeoutError(f"{self.name} connection timeout (>{timeout[0]}s)") from error
        if method in _ONCE and _begun(error):
            raise ClientResponseIncompleteError(
                f"{self.name} response incomplete: {said}"
            ) from error
        if isinstance(error, errors.ReadTimeout):
            raise ClientTimeoutError(f"{self.name} read timeout (>{timeout[1]}s)") from error
        if isinstance(error, errors.RetryError):
            raise ServerError(503, f"{self.name} retries exhausted: {said}") from error
        if isinstance(
            error,
            errors.ConnectionError | errors.ChunkedEncodingError | errors.ContentDecodingError,
        ):
            raise ClientConnectionError(f"{self.name} {_unreached(str(error), said)}") from error
        raise ServerError(500, f"{self.name} request failed: {said}") from error

    def _get(
        self,
        path: str,
        url_conversion: Mapping[str, Any] | None = None,
        response_model: type[BaseModel] | None = None,
        **options: Any,
    ) -> Any:
        """Get an answer, and the files in it if `url_conversion` names their fields."""
        response = self._request("get", path, **options)
        if url_conversion and isinstance(response, dict):
            from handrail_synapse.clients.downloads import fetch_files  # noqa: PLC0415 - few have

            fetch_files(cast("dict[str, Any]", response), **url_conversion)
        return self._valid(response, response_model)

    def _mutate(
        self,
        method: str,
        path: str,
        request_model: type[BaseModel] | None = None,
        response_model: type[BaseModel] | None = None,
        **options: Any,
    ) -> Any:
        if options.get("data") and request_model is not None:
            options["data"] = self._validate_request(options["data"], request_model)
        return self._valid(self._request(method, path, **options), response_model)

    def _post(self, path: str, *models: Any, **options: Any) -> Any:
        return self._mutate("post", path, *models, **options)

    def _put(self, path: str, *models: Any, **options: Any) -> Any:
        return self._mutate("put", path, *models, **options)

    def _patch(self, path: str, *models: Any, **options: Any) -> Any:
        return self._mutate("patch", path, *models, **options)

    def _delete(self, path: str, *models: Any, **options: Any) -> Any:
        return self._mutate("delete", path, *models, **options)

    # Validation

    def _valid(self, response: Any, model: type[BaseModel] | None) -> Any:
        return response if model is None else self._validate_response(response, model)

    def _validate_response(self, response: Any, model: type[BaseModel]) -> Any:
        """Return an answer if it fits a model.

        Raises:
            TypeError: `model` is none of pydantic's.
            ValidationError: It does not fit.
        """
        _checked(model).model_validate(response)
        return response

    def _validate_request(self, data: Any, model: type[BaseModel]) -> dict[str, Any]:
        """Return what a model makes of the data of a request, without what is None.

        Raises:
            TypeError: `model` is none of pydantic's.
            ValidationError: The data do not fit.
        """
        made = _checked(model).model_validate(data).model_dump()
        return {name: value for name, value in made.items() if value is not None}

    # Lists

    def _list(
        self,
        path: str,
        url_conversion: Mapping[str, Any] | None = None,
        list_all: bool = False,
        params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Return one page of a list; or with `list_all` its items, page by page, and their number.

        Args:
            path: The list.
            url_conversion: Which fields of the items are files to be fetched.
            list_all: Whether all pages are wanted.
            params: Query parameters.
            **options: Those of a request; and for all pages, `throttle_seconds` between them, how
                often one is tried again (`page_retries`) and with which pauses
                (`page_retry_backoff`), and `page_failures`, a list that gets those that failed, so
                that the others are gone through all the same.
        """
        if not list_all:
            return self._get(path, params=dict(params or {}), **options)
        pages = _Pages(self, url_conversion, options)
        asked = {"page_size": self.page_size, **(params or {})}
        first = pages.get(path, params=asked)
        count = first.get("count", 0)
        return pages.items(first, _last_page(count, asked["page_size"])), count


class _Pages:
    """Gets a list page by page."""

    def __init__(
        self,
        client: BaseClient,
        url_conversion: Mapping[str, Any] | None,
        options: dict[str, Any],
    ) -> None:
        self._client = client
        self._get = client._get  # pyright: ignore[reportPrivateUsage] - of this module
        self._url_conversion = url_conversion
        self._pause: float = options.pop("throttle_seconds", 0.0)
        self._retries: int = options.pop("page_retries", 0)
        self._backoff: float = options.pop("page_retry_backoff", 2)
        self._failures: list[dict[str, Any]] | None = options.pop("page_failures", None)
        self._options = options

    def get(self, url: str, **options: Any) -> dict[str, Any]:
        for tried in range(self._retries + 1):
            try:
                found: dict[str, Any] = self._get(
                    url, self._url_conversion, **options, **self._options
                )
            except ClientError:
                if tried == self._retries:
                    raise
                self._client.reset_connection()
                time.sleep(min(self._backoff * 2**tried, _LONGEST_PAGE_PAUSE))
            else:
                return found
        raise AssertionError("the last attempt returns or raises")

    def items(self, page: dict[str, Any], last: int | None) -> Iterator[Any]:
        yield from page["results"]
        url = page.get("next")
        while url:
            if self._pause > 0:
                time.sleep(self._pause)
            try:
                page = self.get(url)
            except ClientError as error:
                if self._failures is None:
                    raise
                said = f"{type(error).__name__}: {error}"
                self._failures.append({"page": _number_of(url), "url": url, "error": said})
                url = _after(url, last)
                continue
            yield from page["results"]
            url = page.get("next")


def _last_page(count: Any, size: Any) -> int | None:
    try:
        return max(1, -(-int(count) // int(size)))
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _number_of(url: str) -> int | None:
    try:
        return int(parse_qs(urlsplit(url).query)["page"][0])
    except (KeyError, ValueError):
        return None


def _after(url: str, last: int | None) -> str | None:
    """Return the URL of the page after one; None after the last, or where pages have no numbers."""
    number = _number_of(url)
    if number is None or (last is not None and number >= last):
        return None
    parts = urlsplit(url)
    query = parse_qs(parts.query) | {"page": [str(number + 1)]}
    return urlunsplit(parts._replace(query=urlencode(query, doseq=True)))


def _both(timeout: Any) -> tuple[float, float]:
    """Return the seconds to connect, and to read."""
    if isinstance(timeout, Mapping):
        named = cast("Mapping[str, float]", timeout)
        return named["connect"], named["read"]
    if isinstance(timeout, tuple):
        return cast("tuple[float, float]", timeout)
    return timeout, timeout


def _encode(options: dict[str, Any], headers: dict[str, str], stack: ExitStack) -> None:
    """Make the body of a request: JSON, or a form if there are files."""
    files: dict[str, Any] | None = options.get("files")
    if files is None:
        headers["Content-Type"] = "application/json"
        if "data" in options:
            options["data"] = json.dumps(options["data"])
        return
    sent: dict[str, Any] = {}
    for name, file in files.items():
        if isinstance(file, str | Path):
            sent[name] = Path(file).name, stack.enter_context(Path(file).open("rb"))  # noqa: SIM115 - it is
        else:
            sent[name] = file
    options["files"] = sent
    if "data" in options:
        options["data"] = {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in options["data"].items()
        }


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


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


def _unreached(text: str, shown: str) -> str:
    if "Connection refused" in text:
        return "connection refused"
    if any(each in text for each in ("Name or service not known", "nodename nor servname")):
        return "host unreachable"
    return f"connection error: {shown}"


def _checked(model: Any) -> type[BaseModel]:
    if not hasattr(model, "model_validate"):
        raise TypeError(f"{model.__name__} is not a Pydantic model")
    made: type[BaseModel] = model
    return made
