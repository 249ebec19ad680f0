"""What one run makes in an MLflow server: found by its tag before it is made, and taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from handrail.frozen import frozen
from handrail_train.errors import MlflowError
from handrail_train.mlflow.client import Client

RUN_TAG = "handrail.run"
# So that its pages show models, not conversations.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_PAGE = 100
_MOST_METRICS, _MOST_PARAMS = 1000, 100  # In one request.

Json = dict[str, Any]


@frozen
class Tracking:
    """The experiment, the run and the version of a model that a run of ours makes.

    The mark of our run is a tag of each of them, given as they are made. So a process that goes on
    after a kill, or after an answer that was lost, finds what is there, and an undo takes nothing
    else. Each method may be called again.

    Attributes:
        client: The server.
        mark: The mark of our run: `<run>/<step>`.
    """

    client: Client
    mark: str

    def check(self, experiment: str) -> None:
        """Check that the server answers, and that the experiment can have a run.

        Raises:
            MlflowError: It does not, or cannot.
        """
        self.client.again(lambda: self._experiment(experiment))

    # What is made

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made if there is none of this name.

        Raises:
            MlflowError: The server failed or refused, or the experiment is deleted.
        """

        def once() -> str:
            found = self._experiment(name)
            if found is not None:
                return str(found["experiment_id"])
            tags = _tags({**_KIND, **self._own})
            made = self.client.post("experiments/create", name=name, tags=tags)
            return str(made["experiment_id"])

        return self.client.again(once)

    def run(self, experiment: str, **given: Any) -> Json:
        """Return the run in an experiment, made if it is not there.

        Args:
            experiment: The id of the experiment.
            **given: The fields of a run that is made: `run_name`, `start_time`, `tags`.

        Raises:
            MlflowError: The server failed or refused.
        """
        tags = _tags({**given.pop("tags"), **self._own})

        def once() -> Json:
            for found in self._runs([experiment]):
                return found
            made = self.client.post("runs/create", experiment_id=experiment, tags=tags, **given)
            return dict(made["run"])

        return self.client.again(once)

    def log(self, run: str, params: Mapping[str, str], metrics: Iterable[Json]) -> None:
        """Log params and metrics; what is there already stays.

        Raises:
            MlflowError: The server failed or refused.
        """
        listed = _tags(params)
        for part in _parts(listed, _MOST_PARAMS):
            self._post("runs/log-batch", run_id=run, params=part)
        for part in _parts(list(metrics), _MOST_METRICS):
            self._post("runs/log-batch", run_id=run, metrics=part)

    def log_dataset(self, run: str, dataset: Json) -> None:
        """Log what a run has learnt from.

        Raises:
            MlflowError: The server failed or refused.
        """
        tags = _tags({"mlflow.data.context": "training"})
        self._post("runs/log-inputs", run_id=run, datasets=[{"dataset": dataset, "tags": tags}])

    def put_file(self, run: Json, name: str, content: bytes) -> None:
        """Store an artifact of a run; `place_of` says whether that is possible.

        Raises:
            MlflowError: The server failed or refused.
        """
        place = self.place_of(run)
        self.client.again(lambda: self.client.put_artifact(f"{place}/{name}", content))

    def place_of(self, run: Json) -> str | None:
        """Return the path below which the server takes artifacts of a run; None if it does not."""
        found = urlsplit(str(run["info"].get("artifact_uri", "")))
        elsewhere = found.netloc not in ("", urlsplit(self.client.url).netloc)
        if found.scheme != "mlflow-artifacts" or elsewhere:
            return None
        return found.path.strip("/")

    def finish(self, run: Json, ended: int) -> None:
        """Say that a run has ended, and delete another one that a lost request has made.

        Args:
            run: The run.
            ended: When, in milliseconds since 1970.

        Raises:
            MlflowError: The server failed or refused.
        """
        info = run["info"]
        self._post("runs/update", run_id=info["run_id"], status="FINISHED", end_time=ended)
        for other in self.runs([str(info["experiment_id"])]):
            if other["info"]["run_id"] != info["run_id"]:
                self._post("runs/delete", run_id=other["info"]["run_id"])

    def version(self, model: str, **given: Any) -> str:
        """Return the number of the version of a registered model; both are made if missing.

        Args:
            model: The name of the model.
            **given: The fields of a version that is made: `source`, `run_id`, `description`,
                `tags`.

        Raises:
            MlflowError: The server failed or refused.
        """
        tags = _tags({**given.pop("tags"), **self._own})

        def registered() -> None:
            if self.client.find("registered-models/get", name=model) is None:
                self.client.post("registered-models/create", name=model, tags=_tags(self._own))

        def once() -> str:
            for found in self._versions(model, own=True):
                return str(found["version"])
            made = self.client.post("model-versions/create", name=model, tags=tags, **given)
            return str(made["model_version"]["version"])

        self.client.again(registered)
        number = self.client.again(once)
        for other in self.versions(model, own=True):
            if str(other["version"]) != number:
                self._remove_version(model, str(other["version"]))
        return number

    # What is taken back

    def runs(self, experiments: Iterable[str]) -> list[Json]:
        """Return the runs in these experiments that our run has made and that are not deleted.

        Raises:
            MlflowError: The server failed or refused.
        """
        listed = list(experiments)
        return self.client.again(lambda: list(self._runs(listed))) if listed else []

    def remove_run(self, run: Json, files: Iterable[str]) -> None:
        """Delete a run, and before it the artifacts of these names.

        Raises:
            MlflowError: The server failed or refused.
        """
        place = self.place_of(run)
        for name in files if place else ():
            self.client.again(partial(self.client.remove_artifact, f"{place}/{name}"))
        self._remove("runs/delete", "POST", run_id=run["info"]["run_id"])

    def versions(self, model: str, *, own: bool = False) -> list[Json]:
        """Return the versions of a registered model, or only those that our run has made.

        Raises:
            MlflowError: The server failed or refused.
        """
        return self.client.again(lambda: list(self._versions(model, own=own)))

    def remove_versions(self, model: str) -> int:
        """Delete the versions that our run has made, and the model if it has made that too.

        A model that has other versions stays.

        Returns:
            The number of versions.

        Raises:
            MlflowError: The server failed or refused.
        """
        found = self.versions(model, own=True)
        for each in found:
            self._remove_version(model, str(each["version"]))
        about = self.client.again(lambda: self.client.find("registered-models/get", name=model))
        is_own = about is not None and self._is_own(about["registered_model"])
        if is_own and not self.versions(model):
            self._remove("registered-models/delete", name=model)
        return len(found)

    def remove_experiments(self) -> None:
        """Delete the experiment that our run has made, unless there are other runs in it.

        Deleted ones keep their names, so it gets another one before: the next training makes its
        own.

        Raises:
            MlflowError: The server failed or refused.
        """
        search = {"filter": self._filter, "max_results": _PAGE, "view_type": "ACTIVE_ONLY"}
        found = self.client.again(lambda: self.client.post("experiments/search", **search))
        for each in found.get("experiments", ()):
            number = str(each["experiment_id"])
            if not self._is_own(each) or self._has_runs(number):
                continue
            name, undone = str(each["name"]), f" (undone: {self.mark})"
            if not name.endswith(undone):
                self._post("experiments/update", experiment_id=number, new_name=name + undone)
            self._remove("experiments/delete", "POST", experiment_id=number)

    # Single attempts

    @property
    def _own(self) -> Mapping[str, str]:
        return {RUN_TAG: self.mark}

    @property
    def _filter(self) -> str:
        return f"tags.`{RUN_TAG}` = '{self.mark}'"

    def _is_own(self, made: Json) -> bool:
        return {"key": RUN_TAG, "value": self.mark} in made.get("tags", ())

    def _post(self, path: str, **given: Any) -> None:
        self.client.again(lambda: self.client.post(path, **given))

    def _remove(self, path: str, method: str = "DELETE", **given: Any) -> None:
        self.client.again(lambda: self.client.remove(path, method, **given))

    def _remove_version(self, model: str, version: str) -> None:
        self._remove("model-versions/delete", name=model, version=version)

    def _experiment(self, name: str) -> Json | None:
        found = self.client.find("experiments/get-by-name", experiment_name=name)
        if found is None:
            return None
        experiment: Json = found["experiment"]
        if experiment.get("lifecycle_stage") == "deleted":
            raise MlflowError(
                f"the experiment {name} is deleted in {self.client.url}",
                ways_out=(
                    "restore it there: mlflow experiments restore --experiment-id "
                    f"{experiment['experiment_id']}",
                    "or give another --mlflow-experiment",
                ),
            )
        return experiment

    def _runs(self, experiments: list[str], which: str | None = None) -> Iterator[Json]:
        found = self.client.post(
            "runs/search",
            experiment_ids=experiments,
            filter=self._filter if which is None else which,
            run_view_type="ACTIVE_ONLY",
            max_results=_PAGE,
            order_by=["attributes.start_time ASC"],
        )
        yield from found.get("runs", ())

    def _has_runs(self, experiment: str) -> bool:
        return self.client.again(lambda: any(True for _ in self._runs([experiment], "")))

    def _versions(self, model: str, *, own: bool) -> Iterator[Json]:
        only = f"name = '{model}'"
        found = self.client.get(
            "model-versions/search",
            filter=f"{only} AND {self._filter}" if own else only,
            max_results=_PAGE,
        )
        yield from found.get("model_versions", ())


def _tags(given: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def _parts(listed: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(listed), size):
        yield listed[start : start + size]
