"""Undoes what a training has made in an MLflow server, from the rollback data of its step alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from handrail.frozen import record
from handrail_storage import ContainmentError, count_text
from handrail_storage.containment import Notes, mark_of_run, text
from handrail_train.manifest import NAME
from handrail_train.mlflow.client import Client, parse_server
from handrail_train.mlflow.tracking import Tracking

if TYPE_CHECKING:
    from handrail_train.context import TrainContext

# Seconds for which a request of a killed process may still be carried out.
LAG = 1.0


@record
class MlflowUndo:
    """The undo of `log_to_mlflow`, from its rollback data.

    Attributes:
        server: The URL of the server, which the params name; None if none was used.
        mark: The mark of what it has made.
        experiments: The ids of the experiments with its run.
        models: The names of the models with its version.
        files: The names of its artifacts.
        refused: The error for rejected data, if any.
    """

    server: str | None
    mark: str
    experiments: list[str]
    models: list[str]
    files: list[str]
    refused: ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, context: TrainContext) -> MlflowUndo:
        """Return the undo for the recorded data, within the server of the params of the run."""
        run = None if context.run_id is None else context.run
        given: Any = context.params.get("mlflow")

        def server(noted: object) -> str:
            found = parse_server(text(noted))
            if not isinstance(given, str) or found != given.rstrip("/"):
                raise ValueError(f"by the params of the run it is {given}")
            return found

        return cls(
            server=next(iter(notes.all("server", server)), None),
            mark=next(iter(notes.all("mark", lambda each: mark_of_run(each, run))), context.mark),
            experiments=list(dict.fromkeys(notes.all("experiments", _matching(r"[0-9]{1,30}")))),
            models=list(dict.fromkeys(notes.all("models", _matching(NAME)))),
            files=list(dict.fromkeys(notes.all("files", _matching(r"[a-z0-9-]+\.[a-z0-9]+")))),
            refused=notes.refused,
        )

    def run(self, client: Client, *, killed: bool) -> str:
        """Delete what the run has made; safe to repeat, and for what was never made.

        Args:
            client: The server.
            killed: Whether a killed process may have left requests in flight.

        Returns:
            A summary in one line.

        Raises:
            MlflowError: The server failed or refused.
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        tracking = Tracking(client=client, mark=self.mark)
        runs, versions = self._remove(tracking)
        if killed and not (runs and versions):
            time.sleep(LAG)
            more = self._remove(tracking)
            runs, versions = runs + more[0], versions + more[1]
        tracking.remove_experiments()
        if self.refused is not None:
            raise self.refused
        found = [
            count_text(count, noun)
            for count, noun in ((runs, "run"), (versions, "version"))
            if count
        ]
        return f"{' and '.join(found)} deleted" if found else "nothing had been made"

    def _remove(self, tracking: Tracking) -> tuple[int, int]:
        versions = 0
        for model in self.models:
            versions += tracking.remove_versions(model)
        found = tracking.runs(self.experiments)
        for each in found:
            tracking.remove_run(each, self.files)
        return len(found), versions

    def preview(self) -> Iterator[str]:
        """Yield the effects of `run`; the server is not asked."""
        if self.refused is not None:
            yield self.refused.message
        if self.server is None:
            return
        if self.experiments:
            yield f"the run leaves {self.server}"
        for model in self.models:
            yield f"the version of the model {model} leaves {self.server}"


def _matching(pattern: str) -> Any:
    def check(noted: object) -> str:
        found = text(noted)
        if re.fullmatch(pattern, found) is None:
            raise ValueError("it cannot be called so")
        return found

    return check
