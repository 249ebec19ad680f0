"""Downloads a ground truth data set, as the folder that trainings of the SDK read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from handrail_synapse.actions import BaseAction, PluginCategory
from handrail_synapse.folders import make_folder
from handrail_synapse.given import as_dict
from handrail_synapse.train.codes import DatasetLogMessageCode as Code

NOT_CONVERTED = (
    "data sets are not converted here: read the JSON files of the data set, or register a step of "
    "your own that converts them"
)
_CATEGORIES = {"valid": "validation"}
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"})
_TOOLS = {
    "bounding_box": "bounding_box",
    "bbox": "bounding_box",
    "polygon": "polygon",
    "polyline": "polyline",
    "keypoint": "keypoint",
    "point": "keypoint",
    "classification": "classification",
}
_KINDS = ("bounding_box", "polygon", "polyline", "keypoint", "classification", "relation", "group")
_WORKERS = 10


class DatasetOperation(StrEnum):
    """What is done with a data set."""

    DOWNLOAD = "download"
    CONVERT = "convert"


class DatasetParams(BaseModel):
    """The params of a DatasetAction.

    `splits` has a filter for each part of the data set: `{"train": {...}, "valid": {...}}`.
    """

    operation: DatasetOperation = DatasetOperation.DOWNLOAD
    dataset: int | None = Field(default=None, description="Number of the data set")
    splits: dict[str, dict[str, Any]] | None = Field(default=None, description="A filter for each")
    path: Path | str | None = Field(default=None, description="Folder of a data set")
    source_format: str = "dm_v2"
    target_format: str = "yolo"
    dm_version: str = "v2"
    output_dir: Path | str | None = Field(default=None, description="Folder for the data set")
    is_categorized: bool = False


class DatasetResult(BaseModel):
    """The folder of a data set, and what is in it."""

    path: Path
    format: str
    is_categorized: bool = False
    config_path: Path | None = None
    count: int | None = None
    source_path: Path | None = None

    @property
    def data_path(self) -> Path:
        """The file that describes the data set, or else its folder."""
        return self.config_path or self.path


class DatasetAction(BaseAction[DatasetParams]):
    """Downloads a data set: once, into the cache of the user, unless the params name a folder."""

    action_name = "dataset"
    category = PluginCategory.NEURAL_NET
    result_model = DatasetResult

    def execute(self) -> Any:
        """Do what the params say."""
        if self.params.operation == DatasetOperation.DOWNLOAD:
            return self.download()
        return self.convert()

    def convert(self) -> DatasetResult:
        """Not there.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(NOT_CONVERTED)

    def download(self, record: Callable[[str, Any], None] | None = None) -> DatasetResult:
        """Download the data set.

        Args:
            record: Records the folders that are made, for an undo.

        Raises:
            ValueError: The params name no data set.
        """
        if self.params.dataset is None:
            raise ValueError("dataset is required for download operation")
        splits = self.params.splits or {}
        made = partial(make_folder, record=record or _forgotten)
        named = self.params.output_dir
        if named is not None:
            folder = Path(named)
            self._into(folder if folder.exists() else made(folder), splits)
        else:
            folder = _cached(getattr(self.client, "base_url", None), self.params.dataset, splits)
            if not folder.exists():
                part = made(folder.with_name(f"{folder.name}.{uuid4().hex}"))
                complete = self._into(part, splits)
                folder = _kept(part, folder) if complete else part
        count = sum(1 for _ in folder.glob("*/json/*.json" if splits else "json/*.json"))
        return DatasetResult(path=folder, format="dm_v2", is_categorized=bool(splits), count=count)

    def _into(self, folder: Path, splits: Mapping[str, Mapping[str, Any]]) -> bool:
        """Download the data set into a folder; return whether all of it came."""
        self.set_progress(0, 100, "init")
        self.log_message(Code.DATASET_DOWNLOAD_STARTING, dataset_id=self.params.dataset)
        total = failed = 0
        for name, filters in splits.items():
            category = _CATEGORIES.get(name, name)
            count, wrong = self._part(folder / name, {"category": category, **(filters or {})})
            self.log_message(Code.DATASET_SPLIT_DOWNLOADED, split_name=name, count=count)
            total, failed = total + count, failed + wrong
        if not splits:
            total, failed = self._part(folder, {})
        self.log_message(Code.DATASET_DOWNLOAD_COMPLETED, count=total)
        return not failed

    def _part(self, folder: Path, filters: Mapping[str, Any]) -> tuple[int, int]:
        for name in ("json", "original_files"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        asked = {
            "fields": ["category", "files", "data"],
            "expand": ["data"],
            "ground_truth_dataset_versions": self.params.dataset,
            **filters,
        }
        events, total = self.client.list_ground_truth_events(params=asked, list_all=True)
        self.log_message(Code.DATASET_GT_EVENTS_FOUND, count=total)
        written = without = failed = 0
        with ThreadPoolExecutor(_WORKERS) as pool:
            for count, (event, image) in enumerate(pool.map(partial(_keep, folder), events), 1):
                if isinstance(image, Exception):
                    about = {"event_id": event, "error": str(image)}
                    self.log("download_event_error", about)
                    failed += 1
                    continue
                written += 1
                without += not image
                self.set_progress(min(count, total), max(total, 1), "download")
        if without:
            self.log_message(Code.DATASET_DOWNLOAD_PARTIAL, downloaded=written, missing=without)
        return written, failed


def _forgotten(key: str, value: Any) -> None:
    """Record nothing."""


def _cached(service: Any, dataset: int, splits: Mapping[str, Any]) -> Path:
    """Return the folder of a data set of a service; it is there once it is complete."""
    told = json.dumps([service if isinstance(service, str) else None, splits], sort_keys=True)
    key = hashlib.sha256(told.encode()).hexdigest()[:12]
    above = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(above, "handrail-synapse", "datasets", f"{dataset}-{key}")


def _kept(part: Path, folder: Path) -> Path:
    """Give a complete data set its name, unless another process was first."""
    try:
        part.rename(folder)
    except OSError:
        shutil.rmtree(part)
    return folder


def _keep(folder: Path, event: Mapping[str, Any]) -> tuple[Any, bool | Exception]:
    """Write one event; return its id, and whether it has an image, or why it was not written."""
    number = event.get("id")
    try:
        image, notes = _files(folder / "original_files", as_dict(event.get("files")))
        stem = str(number) if image is None else image.stem
        content = json.dumps(as_data(event, notes), indent=2, ensure_ascii=False)
        (folder / "json" / f"{Path(stem).name}.json").write_text(content, encoding="utf-8")
    except Exception as error:  # noqa: BLE001 - the others are kept all the same
        return number, error
    return number, image is not None


def _files(folder: Path, files: Mapping[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """Copy the files of an event; return its image, and the annotations in a file beside it."""
    image: Path | None = None
    notes: dict[str, Any] = {}
    for name, known in ((name, as_dict(about)) for name, about in files.items()):
        path: Any = known.get("path")  # The client has downloaded it, and says where.
        if not path or not Path(path).exists():
            continue
        kept = folder / Path(path).name
        if not kept.exists():
            shutil.copy(path, kept)
        is_image = known.get("file_type") == "image" or kept.suffix.lower() in _IMAGES
        if is_image and (image is None or known.get("is_primary")):
            image = kept
        if name.startswith("data_meta") and kept.suffix.lower() == ".json":
            try:
                notes = json.loads(kept.read_bytes())
            except ValueError:
                continue
    return image, notes


def as_data(event: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annotations of an event in the format of the files of a data set."""
    own = as_dict(event.get("data"))
    if not notes.get("annotations") and isinstance(own.get("images"), list):
        return dict(own)
    nothing: Mapping[str, Any] = {}
    source = next((each for each in (notes, own, event) if each.get("annotations")), nothing)
    drawn = {
        each["id"]: as_dict(each.get("coordinate"))
        for each in _all(source.get("annotationsData"))
        if "id" in each
    }
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for each in _all(source.get("annotations")):
        kind = _TOOLS.get(each.get("tool", ""))
        if kind is not None:
            found[kind].append(_annotation(kind, each, drawn.get(each.get("id"), {})))
    classes = {
        kind: sorted({each["classification"] for each in several if each["classification"]})
        for kind, several in found.items()
    }
    named = {kind: several for kind, several in classes.items() if several}
    return {"classification": named, "images": [found]}


def _all(by_image: Any) -> Iterator[dict[str, Any]]:
    for several in as_dict(by_image).values():
        if isinstance(several, list):
            yield from filter(None, map(as_dict, several))  # pyright: ignore[reportUnknownArgumentType]


def _annotation(kind: str, given: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    named: Any = given.get("classification") or ""
    if isinstance(named, dict):
        named = as_dict(named).get("class", "")  # pyright: ignore[reportUnknownArgumentType]
    made: dict[str, Any] = {"classification": str(named)}
    data: Any = given.get("data")
    if kind == "bounding_box":
        numbers: list[Any] = list(data) if isinstance(data, list | tuple) else []  # pyright: ignore[reportUnknownArgumentType]
        if len(numbers) >= 4:
            made["data"] = numbers[:4]
        elif drawn:
            made |= {name: drawn.get(name, 0) for name in ("x", "y", "width", "height")}
    elif kind == "polygon":
        if isinstance(data, list) and data:
            made["data"] = data
        elif drawn:
            made["points"] = drawn.get("points", [])
    return made
