"""Site: the places of a training according to its params; recorded data is checked against them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import handrail_storage
from handrail.frozen import frozen
from handrail_storage import relative_path
from handrail_storage.containment import PLAIN, Folder, Notes, folders_of, text
from handrail_train.errors import ContainmentError, StorageError
from handrail_train.manifest import NAME
from handrail_train.params import TrainParams
from handrail_train.store import CALLER, DEFAULT, parse_store

if TYPE_CHECKING:
    from handrail_train.context import TrainContext

_OBJECT = r"objects/([0-9a-f]{2})/\1[0-9a-f]{62}-"
_MANIFEST = re.compile(rf"versions/({NAME})/([1-9][0-9]*)\.json")
_FOLDER = re.compile(rf"(objects(/[0-9a-f]{{2}})?|versions(/{NAME})?)?")
_CHECKPOINT = re.compile(r"epoch-\d{5,}\.ckpt")


@frozen
class Site(handrail_storage.Site):
    """The store of a run and its state folder; the run creates files only there."""

    def key(self, noted: object) -> str:
        """Return the key of an object of the run, or of a manifest.

        Raises:
            ValueError: The text is not such a key.
        """
        key = text(noted)
        if _MANIFEST.fullmatch(key) is not None:
            return key
        run = PLAIN if self.run is None else re.escape(self.run)
        if re.fullmatch(rf"{_OBJECT}{run}(\.[0-9A-Za-z._-]*)?", key) is None:
            raise ValueError("it is neither an object of this run nor a manifest of a store")
        return key

    def made_folder(self, noted: object) -> str:
        """Return the path of a folder in the store, of the store itself, or of one above it.

        Raises:
            ValueError: The path is not that of such a folder.
        """
        if self.folder is None:
            return self.made(noted)
        path = self.folder.now(noted)
        if not path.startswith(os.path.join(self.folder.path, "")):
            return self.made(noted)
        if _FOLDER.fullmatch(self.folder.key(noted)) is None:
            raise ValueError("it is no folder of a store")
        return path

    def checkpoints(self, noted: object) -> Path:
        """Return the folder of the checkpoints of the run.

        Raises:
            ValueError: The folder is not that of this run, or is a link.
        """
        return Path(self.state.child(noted, f"(?P<run>{PLAIN})", self.run))

    def checkpoint(self, noted: object) -> Path:
        """Return the file of a checkpoint of the run.

        Raises:
            ValueError: The file is not a checkpoint of this run.
        """
        above, name = os.path.split(text(noted))
        if _CHECKPOINT.fullmatch(name) is None:
            raise ValueError("it is no checkpoint")
        return self.checkpoints(above) / name


def site_of(context: TrainContext, notes: Notes | None = None) -> Site:
    """Return the places of the run of a context; other params need not be valid.

    An undo has to work even if the pack of the kind of model was uninstalled.

    Args:
        context: The context.
        notes: The rollback data of a step; it shows the former working folder, if it was moved.

    Raises:
        ContainmentError: The params name no store, or no state folder.
    """
    notes = notes or Notes({})
    url = _param(context, "store", DEFAULT)
    try:
        place = parse_store(url)
    except StorageError as error:
        raise ContainmentError.about("param 'store'", url, error.message) from error
    state = _param(context, "folder", TrainParams.model_fields["folder"].default)
    checkpoints = [*notes.raw("checkpoints"), *folders_of([context.model_path])]
    noted = [*folders_of(checkpoints), *reversed(notes.raw("folders"))]
    return Site(
        place=place,
        folder=Folder.of(place.path, relative_path(url), notes.raw("store"))
        if place.local
        else None,
        state=Folder.of(os.path.abspath(state), relative_path(state), noted),
        run=None if context.run_id is None else context.run,
        retries=retries_of(context),
        caller=CALLER,
    )


def checkpoint_of(context: TrainContext) -> Path:
    """Return the file of the trained model of a run, which a field of the context names.

    Raises:
        ContainmentError: The path leads elsewhere.
    """
    return context.checked_field("model_path", site_of(context).checkpoint)


def _param(context: TrainContext, name: str, default: object) -> str:
    value: object = context.params.get(name, default)
    path = os.fspath(value) if isinstance(value, Path) else value
    try:
        return text(path)
    except ValueError as error:
        raise ContainmentError.about(f"param '{name}'", value, str(error)) from error


def retries_of(context: TrainContext) -> int:
    """Return the number of retries by the params of a run; the default where they make no sense."""
    given: Any = context.params.get("retries")
    default: int = TrainParams.model_fields["retries"].default
    return given if isinstance(given, int) else default
