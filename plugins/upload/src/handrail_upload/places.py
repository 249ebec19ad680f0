"""The places of a run according to its params: its undo touches nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from handrail_storage import Place as Target
from handrail_storage.manifests import RUN
from handrail_upload.containment import Place, misfit, shown, tail
from handrail_upload.errors import ContainmentError
from handrail_upload.names import readable
from handrail_upload.params import UploadParams
from handrail_upload.storage.target import is_kept, parse_target

_BESIDE = ("", "-wal", "-shm", "-journal")  # Suffixes that SQLite appends to the name of a file.


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of a run.

    Attributes:
        run: The id of the run; None outside of one, as in a test of one step.
        here: The working folder.
        target: The target.
        root: The place of the target.
        folder: The folder of the manifests.
        catalogue: The place of the catalogue; None if its name is in a file that may have changed.
        kept: Keys in the target that are Handrail's own.
    """

    run: str | None
    here: str
    target: Target
    root: Place
    folder: Place
    catalogue: Place | None
    kept: tuple[str, ...]

    @classmethod
    def of(
        cls, options: UploadParams, *, run: str | None, here: str, collection: str | None
    ) -> Places:
        """Return the places that params name.

        Args:
            options: The params.
            run: The id of the run, or None.
            here: The working folder.
            collection: Name of the collection, if known.

        Raises:
            ContainmentError: The id is malformed, and the names of files begin with it.
        """
        if run is not None:
            check_run(run)
        target, root = _target(options.target, here)
        path = str(options.folder)
        folder = Place(path=str(Path(here, path)), tail=tail(path))
        catalogue = _catalogue(options.catalogue, collection, here)
        own = [folder.path, os.path.join(here, ".handrail")]
        if catalogue is not None:
            own += [f"{catalogue.path}{end}" for end in _BESIDE]
        return cls(
            run=run,
            here=here,
            target=target,
            root=root,
            folder=folder,
            catalogue=catalogue,
            kept=tuple(_keys_in(target, own)),
        )

    def manifest_of(self, run: str) -> Place:
        """Return where the list of files of a run is."""
        name = f"{run}.db"
        end = None if self.folder.tail is None else os.path.join(self.folder.tail, name)
        return Place(path=str(Path(self.folder.path, name)), tail=end)

    def catalogue_named_by(self, url: str) -> str | None:
        """Return the catalogue that a recorded one means, if it is that of the run."""
        if self.catalogue is not None:
            return self.catalogue.path if self.catalogue.is_named_by(url) else None
        folder, name = os.path.split(url)
        known = Place(path=self.here, tail="").is_named_by(folder) and name.endswith(".db")
        return os.path.join(self.here, name) if known else None

    def misfit(self, key: str) -> str | None:
        """Return why no run may use a key; None if it may."""
        if is_kept(self.target, key) or any(f"{key}/".startswith(f"{kept}/") for kept in self.kept):
            return "Handrail keeps it for itself"
        if not self.target.local and readable(key) != key:
            return "it is no key of an object"
        return misfit(key)


def check_run(run: str) -> str:
    """Check the id of a run, which becomes part of file names, and return it.

    Raises:
        ContainmentError: The text is not an id of a run.
    """
    if re.fullmatch(RUN, run):
        return run
    raise ContainmentError(
        f"the journal says that the run is {shown(run)}, which is no id of a run",
        ways_out=("look at who has written this journal; nothing was touched",),
    )


def _keys_in(target: Target, paths: Iterable[str]) -> Iterator[str]:
    below = os.path.join(target.path, "")
    for path in map(os.path.normpath, paths):
        if target.local and path.startswith(below):
            yield path.removeprefix(below)


def _target(given: str, here: str) -> tuple[Target, Place]:
    target = parse_target(given)
    if not target.local or given.lower().startswith("file://"):
        return target, Place(path=target.address)
    folder = os.path.expanduser(given)
    target = parse_target(os.path.join(here, folder))
    return target, Place(path=target.path, tail=tail(folder))


def _catalogue(given: str | None, collection: str | None, here: str) -> Place | None:
    if given is None:
        if collection is None:
            return None
        given = catalogue_of(collection)
    if "://" in given:
        return Place(path=given)
    file = os.path.expanduser(given)
    return Place(path=os.path.normpath(os.path.join(here, file)), tail=tail(file))


def catalogue_of(collection: str) -> str:
    """Return the default catalogue of a collection."""
    return f"{collection.replace('/', '_')}.db"
