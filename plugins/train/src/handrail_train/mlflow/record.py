"""What MLflow is told of a stored version: equal for each process that tells it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handrail.frozen import frozen
from handrail_storage import Store
from handrail_train.figures import FIGURES
from handrail_train.manifest import Version
from handrail_train.versions import Versions

# What all servers since 2.0 take.
_KEY, _PARAM, _TAG, _NAME, _DIGEST = 250, 500, 5000, 500, 36
_NOT_TOLD = ("model", "table")  # They stay in the store alone.


@frozen
class Record:
    """A version in the terms of MLflow.

    Attributes:
        name: The name of the run, and of the version for people: `people@3`.
        model: The name of the model.
        began: When the training began, in milliseconds since 1970.
        ended: When the version was stored, likewise.
        params: Params and hyper-parameters that are set.
        metrics: The figures of each epoch, and those of the test, which begin with `test_`.
        tags: The tags of the run.
        version_tags: The tags of the version.
        note: What a person should know, as Markdown.
        dataset: What it was trained on.
        source: Where the version is.
        files: The role in the version of each file that becomes an artifact, by its name there.
    """

    name: str
    model: str
    began: int
    ended: int
    params: Mapping[str, str]
    metrics: list[dict[str, Any]]
    tags: Mapping[str, str]
    version_tags: Mapping[str, str]
    note: str
    dataset: dict[str, Any]
    source: str
    files: Mapping[str, str]


def record_of(store: Store, version: Version) -> Record:
    """Return what MLflow is told of a version in a store.

    Raises:
        StorageError: The store failed or refused.
        VersionError: A file of the version is not what was stored.
    """
    versions = Versions(store)
    report: dict[str, Any] = json.loads(versions.content(version, "report"))
    lineage: dict[str, Any] = json.loads(versions.content(version, "lineage"))
    ended = int(datetime.fromisoformat(version.created).timestamp() * 1000)
    card = versions.content(version, "card").decode()
    about = {
        "handrail.version": version.reference,
        "handrail.store": store.address,
        "handrail.number": lineage["run"].get("number"),
        "handrail.project": lineage["run"].get("project"),
    }
    note = _note(card, store.address, version.reference)
    return Record(
        name=version.reference,
        model=version.name,
        began=ended - int(1000 * (lineage["seconds"] or 0)),
        ended=ended,
        params=_params(report),
        metrics=list(_metrics(report, ended)),
        tags=_texts({**about, **_usual_tags(lineage), "mlflow.note.content": note}),
        version_tags=_texts(about),
        note=note,
        dataset=_dataset(report, lineage),
        source=source_of(store, version),
        files={
            f"{role.replace('_', '-')}.{file.key.rpartition('.')[2]}": role
            for role, file in version.files.items()
            if role not in _NOT_TOLD
        },
    )


def source_of(store: Store, version: Version) -> str:
    """Return the URI of the manifest of a version.

    MLflow takes no path of another machine. So a folder has a scheme of its own, and the name of
    the machine.
    """
    if not store.place.local:
        return f"{store.address}/{version.key}"
    path = quote(str(Path(store.address).resolve() / version.key))
    return f"handrail://{socket.gethostname()}{path}"


def _note(card: str, store: str, reference: str) -> str:
    head = card.partition("\n## Columns")[0]
    code = f"from handrail_train import load_model\n\nload_model({store!r}, {reference!r})"
    return _cut(f"{head}\n\n```python\n{code}\n```\n", _TAG)


def _params(report: Mapping[str, Any]) -> dict[str, str]:
    told = {"kind": report["kind"], "data": report["dataset"]["name"], **report["params"]}
    for name, value in report["hyper"].items():
        told[f"hyper.{name}" if name in told else name] = value
    return {
        _name(name): _cut(value if isinstance(value, str) else json.dumps(value), _PARAM)
        for name, value in told.items()
        if value not in (None, [], "")
    }


def _metrics(report: Mapping[str, Any], time: int) -> Iterator[dict[str, Any]]:
    def one(name: str, value: float, step: int) -> dict[str, Any]:
        return {"key": _name(name), "value": value, "timestamp": time, "step": step}

    for epoch, shown in enumerate(report["history"], 1):
        yield from (one(name, value, epoch) for name, value in shown.items())
    metrics, best = report["metrics"], report["best_epoch"]
    yield from (one(f"test_{name}", metrics[name], best) for name in FIGURES if name in metrics)
    for name, each in metrics.get("folds", {}).items():
        yield one(f"folds/{name}_mean", each["mean"], best)
        yield one(f"folds/{name}_deviation", each["deviation"], best)


def _usual_tags(lineage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tags that MLflow shows in places of their own."""
    run: Mapping[str, Any] = lineage["run"]
    code: Mapping[str, Any] = lineage["code"] or {}
    return {
        "mlflow.user": run.get("user"),
        "mlflow.source.name": f"handrail run {run.get('action') or 'train'}",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": code.get("commit"),
    }


def _dataset(report: Mapping[str, Any], lineage: Mapping[str, Any]) -> dict[str, Any]:
    data, source = report["dataset"], lineage["source"]
    columns = [{"name": each["name"], "type": each["kind"]} for each in data["columns"]]
    return {
        "name": _cut(str(data["name"]), _NAME),
        "digest": data["fingerprint"][:_DIGEST],
        "source_type": "handrail",
        "source": json.dumps({"uri": source["address"], "table": source["table"]}),
        # A longer one is refused.
        "schema": json.dumps({"columns": columns[:100]}),
        "profile": json.dumps({name: data[name] for name in ("rows", "train", "test")}),
    }


def _name(text: str) -> str:
    """Return a name of a param or metric with the characters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", text, flags=re.ASCII)[:_KEY]


def _texts(tags: Mapping[str, Any]) -> dict[str, str]:
    return {name: _cut(str(each), _TAG) for name, each in tags.items() if each is not None}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
