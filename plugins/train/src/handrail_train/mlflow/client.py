"""Requests to an MLflow server: what they fail with, and which failures may pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, urlsplit

from handrail_storage import retrying
from handrail_train.errors import MlflowError
from handrail_train.site import retries_of

if TYPE_CHECKING:
    from handrail_train.context import TrainContext

T = TypeVar("T")

_API = "api/2.0/mlflow"
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"
_TIMEOUT = (10, 60)  # Seconds to connect, and for the answer.
_PAUSE = 0.2  # Seconds before the second attempt; it doubles up to ten.
_PASSING = (408, 429, 500, 502, 503, 504)
_CREDENTIALS = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_SHOWN = 300  # Characters of what a server says.
_HIDDEN = "**********"


def parse_server(text: str) -> str:
    """Return the URL of a tracking server, without a slash at its end.

    Raises:
        ValueError: It is no such URL, or has a secret in it.
    """
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise ValueError(
            "the tracking server of MLflow is an address such as http://mlflow.example:5000"
        )
    if "@" in found.netloc or found.query or found.fragment:
        raise ValueError(f"the address of the server is shown and recorded; give {_CREDENTIALS}")
    return text.rstrip("/")


class Client:
    """Requests to one server, with the credentials in the variables that MLflow reads.

    A method sends one request; `again` repeats what may be repeated.

    Args:
        url: The URL of the server.
        retries: Number of retries when it fails for a moment.
        on_status: Called with what requests wait for, and with None once they go on.

    Raises:
        MlflowError: The library for requests is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        retries: int = 8,
        on_status: Callable[[str | None], object] = lambda status: None,
    ) -> None:
        self.url = url
        self._retries, self._on_status = retries, on_status
        try:
            self._requests = import_module("requests")
        except ImportError as error:
            raise MlflowError(
                "MLflow is reached with requests, which is not installed",
                ways_out=("pip install 'handrail-train[mlflow]'",),
            ) from error
        self._session = self._requests.Session()
        name, password, token = (
            os.environ.get(f"MLFLOW_TRACKING_{each}") for each in ("USERNAME", "PASSWORD", "TOKEN")
        )
        self._secrets = [each for each in (password, token) if each]
        if name and password:
            self._session.auth = (name.encode(), password.encode())
        elif token:
            self._session.auth = _Bearer(token)
        self._verify: bool | str = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
        if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() == "true":
            self._verify = False

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def again(self, call: Callable[[], T]) -> T:
        """Call, and call again while the server fails in ways that may pass.

        Args:
            call: It makes requests that may be repeated although the first ones have arrived.

        Raises:
            MlflowError: All attempts failed, or the server refused.
        """
        return retrying(call, retries=self._retries, on_status=self._on_status, first=_PAUSE)

    def get(self, path: str, **given: Any) -> dict[str, Any]:
        """Ask for something; `path` is below that of the API, as in its reference.

        Raises:
            MlflowError: The server cannot be reached, or refuses.
        """
        return self._json("GET", path, params=given)

    def find(self, path: str, **given: Any) -> dict[str, Any] | None:
        """Ask for something that may not be there; return None if it is not.

        Raises:
            MlflowError: The server cannot be reached, or refuses.
        """
        try:
            return self.get(path, **given)
        except MlflowError as error:
            if error.said == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def post(self, path: str, **given: Any) -> dict[str, Any]:
        """Make or change something.

        Raises:
            MlflowError: The server cannot be reached, or refuses.
        """
        return self._json("POST", path, json=given)

    def remove(self, path: str, method: str = "DELETE", **given: Any) -> None:
        """Delete something that may be gone already.

        Raises:
            MlflowError: The server cannot be reached, or refuses.
        """
        try:
            self._json(method, path, json=given)
        except MlflowError as error:
            if error.said != "RESOURCE_DOES_NOT_EXIST":
                raise

    def put_artifact(self, path: str, content: bytes) -> None:
        """Store an artifact that the server keeps, or passes on.

        Raises:
            MlflowError: The server cannot be reached, or refuses.
        """
        self._send("PUT", f"{_ARTIFACTS}/{quote(path)}", data=content)

    def remove_artifact(self, path: str) -> None:
        """Delete an artifact that the server keeps; nothing if it is gone.

        Raises:
            MlflowError: The server cannot be reached, or refuses.
        """
        try:
            self._send("DELETE", f"{_ARTIFACTS}/{quote(path)}")
        except MlflowError as error:
            if error.status != 404:
                raise

    def _json(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        answer = self._send(method, f"{_API}/{path}", **given)
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._no_mlflow(f"{path} is not answered with JSON")
        return cast("dict[str, Any]", found)

    def _send(self, method: str, path: str, **given: Any) -> Any:
        errors = self._requests.exceptions
        try:
            answer = self._session.request(
                method,
                f"{self.url}/{path}",
                timeout=_TIMEOUT,
                verify=self._verify,
                # What follows one may send a password elsewhere, and makes a GET of a POST.
                allow_redirects=False,
                **given,
            )
        except errors.SSLError as error:
            raise MlflowError(
                f"the certificate of {self.url} is not trusted: {self._line(error)}",
                ways_out=("name that of its authority in MLFLOW_TRACKING_SERVER_CERT_PATH",),
            ) from None
        except errors.RequestException as error:
            # What the library says is in it, as far as it tells something.
            raise self._unanswered(error) from None
        if answer.status_code >= 300:
            raise self._refusal(answer)
        return answer

    def _unanswered(self, error: Exception) -> MlflowError:
        errors, said = self._requests.exceptions, str(error)
        reason = f"the connection to {self.url} broke"
        if "refused" in said:
            reason = f"{self.url} cannot be reached: connection refused"
        elif "NameResolutionError" in said:
            reason = f"{self.url} cannot be reached: unknown host"
        elif isinstance(error, errors.Timeout):
            reason = f"{self.url} did not answer in time"
        elif not isinstance(error, (errors.ConnectionError, errors.ChunkedEncodingError)):
            return MlflowError(f"{self.url}: {self._line(error)}")
        return MlflowError(
            reason,
            passing=True,
            reason=reason,
            ways_out=("start the server, or check the address that --mlflow gives",),
        )

    def _refusal(self, answer: Any) -> MlflowError:
        """Return the error for an answer that is no success."""
        status = answer.status_code
        code, said = "", answer.text if status in _PASSING else ""
        try:
            found = answer.json()
            code, said = str(found["error_code"]), str(found.get("message", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        if status == 401:
            used = self._session.auth is not None
            return MlflowError(
                f"{self.url} {'does not take the' if used else 'asks for'} credentials (401)",
                status=status,
                ways_out=(f"{'check' if used else 'give'} {_CREDENTIALS}",),
            )
        if status < 400:
            there = self._line(answer.headers.get("Location", "elsewhere"))
            return self._no_mlflow(f"it leads to {there} ({status})")
        if status == 404 and not code:
            return self._no_mlflow("it does not know the API of one (404)", status)
        words = self._line(said)
        what = f"{self.url}: {code or answer.reason} ({status})"
        return MlflowError(
            f"{what}: {words}" if words else what,
            # Somebody else has made it since it was looked for.
            passing=status in _PASSING or code == "RESOURCE_ALREADY_EXISTS",
            reason=f"{self.url} answers {status}",
            status=status,
            said=code,
            ways_out=("ask for the right to write there",) if status == 403 else (),
        )

    def _no_mlflow(self, why: str, status: int = 0) -> MlflowError:
        return MlflowError(
            f"{self.url} is no tracking server of MLflow: {why}",
            status=status,
            ways_out=("give --mlflow the address at which a browser shows its experiments",),
        )

    def _line(self, said: object) -> str:
        """Return what a server or a library says, without our secrets."""
        line = " ".join(str(said).split())
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


@contextmanager
def server_of(context: TrainContext) -> Generator[Client]:
    """Provide the server of a run, whatever its other params are.

    Raises:
        MlflowError: The params name none, or the library for requests is not installed.
    """
    try:
        url = parse_server(str(context.params.get("mlflow") or ""))
    except ValueError as error:
        raise MlflowError(str(error), ways_out=("give one: --mlflow URL",)) from error
    client = Client(url, retries=retries_of(context), on_status=context.set_status)
    try:
        yield client
    finally:
        client.close()


class _Bearer:
    """Puts a token into requests."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
