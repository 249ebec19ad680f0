"""Where one training works, by its params: what a journal has of it is checked against that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail_train.containment import PLAIN, Folder, Notes, identity, listed, refusal, text
from handrail_train.errors import StorageError
from handrail_train.manifest import NAME
from handrail_train.params import TrainParams
from handrail_train.store import DEFAULT, Store, Target, open_store, parse_target

if TYPE_CHECKING:
    from handrail_train.context import TrainContext

_OBJECT = re.compile(r"objects/([0-9a-f]{2})/\1[0-9a-f]{62}(?!.*\.tmp-)[^/\\\0]*", re.DOTALL)
_MANIFEST = re.compile(rf"versions/({NAME})/([1-9][0-9]*)\.json")
_FOLDER = re.compile(rf"(objects(/[0-9a-f]{{2}})?|versions(/{NAME})?)?")
_CHECKPOINT = re.compile(r"epoch-\d{5,}\.ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The store of a run and its state folder; all it makes is below them, or they themselves.

    Each method that takes a recorded value returns it where it stays within them.

    Attributes:
        store: The store.
        folder: The same, where it is a folder on this machine.
        state: The folder for checkpoints.
        run: The run; None where a step is undone outside of one, as in a test.
        retries: How often to try again when the storage fails for a moment.
    """

    store: Target
    folder: Folder | None
    state: Folder
    run: str | None
    retries: int

    def open(self) -> Store:
        """Return the store, opened.

        Raises:
            StorageError: It makes no sense.
        """
        return open_store(self.store.shown, retries=self.retries)

    def address(self, noted: object) -> str:
        """Return the address of the store.

        Raises:
            ValueError: The params of the run name another one.
        """
        if self.folder is not None:
            return self.folder.itself(noted)
        try:
            there = parse_target(text(noted))
        except StorageError as error:
            raise ValueError(error.message) from error
        if there != self.store:
            raise ValueError(f"by the params of the run it is {self.store.shown}")
        return there.shown

    def mark(self, noted: object) -> str:
        """Return what the objects of the run are marked with.

        Raises:
            ValueError: It is the mark of another run.
        """
        mark = text(noted)
        found = re.fullmatch(rf"(?P<run>{PLAIN})/.+", mark)
        if found is None or found["run"] != (self.run or found["run"]):
            raise ValueError("it is not the mark of this run")
        return mark

    def key(self, noted: object) -> str:
        """Return the key of an object or of a manifest.

        Raises:
            ValueError: It is another one.
        """
        key = text(noted)
        if _OBJECT.fullmatch(key) is None and _MANIFEST.fullmatch(key) is None:
            raise ValueError("it is neither an object nor a manifest of a store")
        return key

    def made(self, noted: object) -> tuple[str, tuple[int, ...]]:
        """Return the key of an object, and what tells it from others.

        Raises:
            ValueError: It is no such thing.
        """
        key, *rest = listed(noted) or (noted,)
        return self.key(key), identity(rest)

    def made_folder(self, noted: object) -> str:
        """Return the path of a folder in the store, of itself, or of one that holds it.

        Raises:
            ValueError: It is another one.
        """
        if self.folder is None:
            raise ValueError("an object storage has no folders")
        path = self.folder.now(noted)
        if not path.startswith(os.path.join(self.folder.path, "")):
            return self.folder.itself_or_above(noted)
        if _FOLDER.fullmatch(self.folder.key(noted)) is None:
            raise ValueError("it is no folder of a store")
        return path

    def checkpoints(self, noted: object) -> Path:
        """Return the folder of the checkpoints of the run.

        Raises:
            ValueError: It is not that of this run, or is a link.
        """
        return Path(self.state.child(noted, f"(?P<run>{PLAIN})", self.run))

    def checkpoint(self, noted: object) -> Path:
        """Return the file of a checkpoint of the run.

        Raises:
            ValueError: It is not one of this run.
        """
        above, name = os.path.split(text(noted))
        if _CHECKPOINT.fullmatch(name) is None:
            raise ValueError("it is no checkpoint")
        return self.checkpoints(above) / name


def site_of(context: TrainContext, notes: Notes | None = None) -> Site:
    """Return where the run of a context works; the other params need not make sense any more.

    An undo has to work as well where the pack that brought the kind of model is gone.

    Args:
        context: The context.
        notes: What a step has recorded; it tells where the working folder was, if it was moved.

    Raises:
        ContainmentError: The params name no store, or no state folder.
    """
    notes = notes or Notes({})
    url = _param(context, "store", DEFAULT)
    try:
        store = parse_target(url)
    except StorageError as error:
        raise refusal("param 'store'", url, error.message) from error
    state = _param(context, "folder", TrainParams.model_fields["folder"].default)
    places = [*notes.raw("checkpoints"), *_above([context.model_path])]
    return Site(
        store=store,
        folder=Folder.of(store.path, _relative(os.path.expanduser(url)), notes.raw("store"))
        if store.scheme == "file"
        else None,
        state=Folder.of(
            os.path.abspath(state),
            _relative(state),
            [*_above(places), *reversed(notes.raw("folders"))],
        ),
        run=None if context.run_id is None else context.run,
        retries=_retries(context),
    )


def checkpoint_of(context: TrainContext) -> Path:
    """Return the file of the trained model of a run, which a field of the context names.

    Raises:
        ContainmentError: It leads elsewhere.
    """
    try:
        return site_of(context).checkpoint(context.model_path)
    except ValueError as error:
        field = "field 'model_path' of the context"
        raise refusal(field, context.model_path, str(error)) from error


def _param(context: TrainContext, name: str, default: object) -> str:
    value: object = context.params.get(name, default)
    path = os.fspath(value) if isinstance(value, Path) else value
    try:
        return text(path)
    except ValueError as error:
        raise refusal(f"param '{name}'", value, str(error)) from error


def _retries(context: TrainContext) -> int:
    given: Any = context.params.get("retries")
    default: int = TrainParams.model_fields["retries"].default
    return given if isinstance(given, int) else default


def _relative(path: str) -> str | None:
    return None if os.path.isabs(path) else path


def _above(paths: Iterable[object]) -> Iterator[str]:
    yield from (os.path.dirname(path) for path in paths if isinstance(path, str))
