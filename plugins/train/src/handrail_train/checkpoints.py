"""Checkpoints of one run: the data to continue an interrupted training.

A checkpoint is one file in the folder of the run, `epoch-00012.ckpt`: a line of JSON that describes
it, then the model as `Fit.dump` returned it. It is written under another name first, so a file of
that name is complete. Only the latest and the best one stay.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from handrail.frozen import frozen
from handrail_storage.backend import flush_folder, write_whole
from handrail_train.errors import CheckpointError

_NAME = re.compile(r"epoch-(\d{5,})\.ckpt")
_OURS = re.compile(r"epoch-\d{5,}\.ckpt(\.tmp)?")

History = list[dict[str, float]]


@frozen
class Checkpoint:
    """A model after an epoch.

    Attributes:
        epoch: Number of trained epochs.
        history: The figures of each epoch, the first one first.
        about: Its source: versions of the libraries, fingerprint of the data.
        content: The model, as `Fit.dump` returned it.
    """

    epoch: int
    history: History
    about: Mapping[str, Any]
    content: bytes

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        head = {
            "epoch": self.epoch,
            "history": self.history,
            "about": dict(self.about),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }
        return json.dumps(head, allow_nan=False).encode() + b"\n" + self.content

    @classmethod
    def from_bytes(cls, written: bytes) -> Checkpoint | None:
        """Parse the content of a file; None if it is damaged."""
        line, _, content = written.partition(b"\n")
        try:
            head = json.loads(line)
            made = cls(
                epoch=head["epoch"], history=head["history"], about=head["about"], content=content
            )
            intact = head["sha256"] == hashlib.sha256(content).hexdigest()
        except (ValueError, KeyError, TypeError):
            return None
        return made if intact else None


class Checkpoints:
    """The checkpoints in the folder of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Create the folder, and those above it.

        Raises:
            CheckpointError: The folder cannot be created, or is a link.
        """
        if self.folder.is_symlink():
            raise CheckpointError(
                f"the folder for checkpoints, {self.folder}, is a link",
                ways_out=("remove the link, and train again",),
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"the folder for checkpoints, {self.folder}, cannot be made: {error.strerror}",
                ways_out=("give another --state-folder",),
            ) from error

    def path(self, epoch: int) -> Path:
        """Return the file of the checkpoint after an epoch."""
        return self.folder / f"epoch-{epoch:05}.ckpt"

    def save(self, checkpoint: Checkpoint, *, keep: Iterable[int] = ()) -> Path:
        """Write a checkpoint, and remove the others except those after the epochs to `keep`.

        Raises:
            CheckpointError: The checkpoint cannot be written.
        """
        path = self.path(checkpoint.epoch)
        try:
            write_whole(path, checkpoint.to_bytes())
            kept = {path, *map(self.path, keep)}
            for other in self._files():
                if other not in kept:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"the checkpoint {path} cannot be written: {error.strerror}",
                ways_out=("free some space, or give another --state-folder",),
            ) from error
        return path

    def latest(self) -> Checkpoint | None:
        """Return the latest checkpoint that is intact, or None."""
        for path in reversed(self._files()):
            found = read_checkpoint(path)
            if found is not None:
                return found
        return None

    def flush(self) -> None:
        """Flush the checkpoints, so that they survive a loss of power.

        Raises:
            CheckpointError: The folder cannot be flushed.
        """
        try:
            flush_folder(self.folder)
        except OSError as error:
            raise CheckpointError(
                f"the checkpoints in {self.folder} cannot be made lasting: {error.strerror}"
            ) from error

    def at(self, epoch: int) -> Checkpoint | None:
        """Return the checkpoint after an epoch; None if it is missing or damaged."""
        return read_checkpoint(self.path(epoch))

    def remove(self) -> None:
        """Remove all checkpoints, and the folder if it is empty then. Safe to call again."""
        for path in self.left():
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def left(self) -> list[Path]:
        """Return the files that `remove` would remove; of a folder that is a link, none."""
        if self.folder.is_symlink():
            return []
        with suppress(FileNotFoundError, NotADirectoryError):
            entries = list(os.scandir(self.folder))
            found = (each for each in entries if _OURS.fullmatch(each.name))
            return [Path(each.path) for each in found if not each.is_dir(follow_symlinks=False)]
        return []

    def _files(self) -> list[Path]:
        return sorted(self._found(), key=lambda path: int(path.stem.partition("-")[2]))

    def _found(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            for entry in list(os.scandir(self.folder)):
                if _NAME.fullmatch(entry.name):
                    yield Path(entry.path)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the checkpoint in a file; None if it is missing or damaged."""
    try:
        return Checkpoint.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
