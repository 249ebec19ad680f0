"""OpenLineage events of runs: one START and one event for the end, as JSON over HTTP."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import handrail
from handrail_otel import __version__
from handrail_otel.spans import DEAD, End, TracedRun

if TYPE_CHECKING:
    from handrail.journal import RunRow
    from handrail_otel.settings import OtelSettings

_PRODUCER = f"https://pypi.org/project/handrail-otel/{__version__}"
_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_TERMINAL = {
    "completed": "COMPLETE",
    "rolled_back": "ABORT",
    "rollback_incomplete": "FAIL",
    "failed": "FAIL",
    DEAD: "FAIL",
}
# Params that name what an action reads, and what it writes.
_READ = ("source", "input", "data", "table")
_WRITTEN = ("target", "output", "destination")


def start_of(run: TracedRun) -> dict[str, Any]:
    """Return the event for the start of a run, or of what was done with it after it had ended."""
    return {"eventType": "START", "eventTime": run.began, **_about(run)}


def end_of(run: TracedRun, end: End) -> dict[str, Any]:
    """Return the event for the end of a run: COMPLETE, ABORT or FAIL.

    Args:
        run: The run, which has ended.
        end: How.
    """
    kind = _TERMINAL[run.outcome or DEAD]
    if kind == "ABORT" and end.result in ("failure", "timeout"):
        kind = "FAIL"
    elif kind == "ABORT" and run.fence:
        kind = "COMPLETE"  # An undo that somebody asked for has done what it should.
    event: dict[str, Any] = {"eventType": kind, "eventTime": run.ended, **_about(run)}
    if kind == "FAIL" and end.message is not None:
        event["run"]["facets"]["errorMessage"] = {
            **_facet("ErrorMessageRunFacet", "1-0-1"),
            "message": end.message,
            "programmingLanguage": "PYTHON",
        }
    return event


def _about(run: TracedRun) -> dict[str, Any]:
    row = run.recorded
    above = run.sweep if not run.fence else row
    facets: dict[str, Any] = {
        "processing_engine": {
            **_facet("ProcessingEngineRunFacet", "1-1-1"),
            "version": handrail.__version__,
            "name": "handrail",
            "openlineageAdapterVersion": __version__,
        }
    }
    if above is not None:
        facets["parent"] = {
            **_facet("ParentRunFacet", "1-1-0"),
            "run": {"runId": above.uid},
            "job": {"namespace": _namespace(), "name": above.action},
        }
    verb = "" if not run.fence else (".undo" if row.direction == "undo" else ".resume")
    read, written = _datasets(row, _READ), _datasets(row, _WRITTEN)
    return {
        "run": {"runId": run_id(row.uid, run.fence), "facets": facets},
        "job": {
            "namespace": _namespace(),
            "name": f"{row.action}{verb}",
            "facets": {
                "jobType": {
                    **_facet("JobTypeJobFacet", "2-0-3"),
                    "processingType": "BATCH",
                    "integration": "HANDRAIL",
                    "jobType": "JOB",
                }
            },
        },
        "inputs": list(read),
        "outputs": list(written),
        "producer": _PRODUCER,
        "schemaURL": _SPEC,
    }


def run_id(run: str, fence: int = 0) -> str:
    """Return the id of a run in OpenLineage: its own, or one made from it.

    Args:
        run: The UUID of the run.
        fence: That of the run when it had ended before, or 0.
    """
    return str(uuid.uuid5(uuid.UUID(run), str(fence))) if fence else run


def _facet(name: str, version: str) -> dict[str, Any]:
    return {
        "_producer": _PRODUCER,
        "_schemaURL": f"{_FACETS}/{version}/{name}.json#/$defs/{name}",
    }


def _namespace() -> str:
    return os.environ.get("OPENLINEAGE_NAMESPACE") or "handrail"


# Datasets


def _datasets(row: RunRow, names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    values: dict[str, Any] = json.loads(row.params or "{}").get("values", {})
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and value:
            yield _dataset(value, row.cwd)


def _dataset(place: str, folder: str) -> dict[str, str]:
    """Return a path or a URL as a dataset; passwords and options of a URL are no part of it."""
    found = urlsplit(place) if "://" in place else None
    if found is None or found.scheme == "file":
        path = place if found is None else found.path
        return {"namespace": "file", "name": os.path.normpath(os.path.join(folder, path))}
    host = found.netloc.rpartition("@")[2]
    return {"namespace": f"{found.scheme}://{host}", "name": found.path.strip("/") or "/"}


# Sending


class Lineage:
    """Sends events to where `OPENLINEAGE_URL` or the settings of the pack say.

    Args:
        settings: The settings of the pack.
        timeout: The longest that a request may take, in seconds.

    Attributes:
        error: Why the last event could not be sent.
    """

    def __init__(self, settings: OtelSettings, timeout: float = 5.0) -> None:
        url = os.environ.get("OPENLINEAGE_URL") or settings.lineage
        self._url = urlsplit(url if "://" in url else f"http://{url}")
        self._timeout = timeout
        self._connection: HTTPConnection | None = None
        self.error = ""

    def hand_over(self, event: Mapping[str, Any]) -> bool:
        """Send an event without waiting for the answer; return whether all of it was sent.

        What was sent arrives even if this process is killed then.
        """
        place = os.environ.get("OPENLINEAGE_ENDPOINT") or "api/v1/lineage"
        path = f"{self._url.path.rstrip('/')}/{place.lstrip('/')}"
        headers = {"Content-Type": "application/json"}
        key = os.environ.get("OPENLINEAGE_API_KEY")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        body = json.dumps(event).encode("ascii")
        try:
            self._connection = _connected(self._url, self._timeout)
            self._connection.request("POST", path, body, headers)
        except (OSError, HTTPException, ValueError) as error:
            self._failed(error)
            return False
        return True

    def answered(self) -> bool:
        """Return whether the event was taken; also if there was no answer in time."""
        assert self._connection is not None
        try:
            response = self._connection.getresponse()
            response.read()
        except TimeoutError:
            return True
        except (OSError, HTTPException) as error:
            self._failed(error)
            return False
        finally:
            self._connection.close()
        if response.status >= 300:
            self.error = f"{response.status} {response.reason}"
            return False
        return True

    def _failed(self, error: Exception) -> None:
        strerror = getattr(error, "strerror", None)
        self.error = strerror or type(error).__name__


def _connected(url: SplitResult, timeout: float) -> HTTPConnection:
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "localhost", url.port, timeout=timeout)
