"""The places of one upload according to its params, with checks of recorded values."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import handrail_storage
from handrail.frozen import frozen
from handrail_storage import Place, relative_path
from handrail_storage.containment import (
    PLAIN,
    Folder,
    Notes,
    below,
    folders_of,
    is_of_run,
    plain_name,
    text,
)
from handrail_storage.manifests import RUN
from handrail_upload.errors import ContainmentError
from handrail_upload.names import readable
from handrail_upload.params import UploadParams
from handrail_upload.storage.target import CALLER, is_kept, parse_target, target_name

FIRST = "upload_files"
"""The step whose claim has the name of the run."""

_LONGEST = 50  # Characters of the name of a catalogue, which other names begin with.
_BESIDE = ("", "-wal", "-shm", "-journal")  # Suffixes that SQLite appends to the name of a file.


@frozen
class Site(handrail_storage.Site):
    """The target of a run, its state folder and its catalogue; the run creates nothing elsewhere.

    Attributes:
        catalogue: The URL of the catalogue, or its file; an empty text without a catalogue.
        kept: Keys in the target that are Handrail's own.
    """

    catalogue: Folder | str
    kept: tuple[str, ...]

    @classmethod
    def of(
        cls,
        notes: Notes | None = None,
        *,
        options: UploadParams,
        run: str | None,
        here: str,
    ) -> Site:
        """Return the places of a run.

        Args:
            notes: The rollback data of a step, to find the working folder if it was moved.
            options: The params.
            run: The id of the run; None outside of one, as in a test of one step.
            here: The working folder.

        Raises:
            ContainmentError: The id is malformed, and the names of files begin with it.
        """
        if run is not None:
            plain_name(run, ContainmentError, RUN)
        notes = notes or Notes({})
        place, folder = _target(options.target, here, notes)
        state = _state(str(options.folder), here, notes)
        catalogue = _catalogue(catalogue_of(options), here, notes)
        own = [state.path, os.path.join(here, ".handrail")]
        if isinstance(catalogue, Folder):
            own += [f"{catalogue.path}{end}" for end in _BESIDE]
        return cls(
            place=place,
            folder=folder,
            state=state,
            run=run,
            retries=options.retries,
            caller=CALLER,
            catalogue=catalogue,
            kept=tuple(_keys_in(place, own)),
        )

    def manifest_of(self, run: str) -> Path:
        """Return the path of the list of files of a run."""
        return Path(self.state.path, f"{run}.db")

    # Recorded values

    def key(self, noted: object) -> str:
        """Return the key of a file.

        Raises:
            ValueError: The key leads out of the target, or is reserved for Handrail.
        """
        name = text(noted)
        if is_kept(self.place, name) or any(f"{name}/".startswith(f"{own}/") for own in self.kept):
            raise ValueError("Handrail keeps it for itself")
        if not self.place.local and readable(name) != name:
            raise ValueError("it is no key of an object")
        return below(name)

    def folder_key(self, noted: object) -> str:
        """Return the path of a folder in the target as a key.

        Raises:
            ValueError: The folder is outside of the target.
        """
        if self.folder is None:
            raise ValueError("an object storage has no folders")
        return self.folder.key(noted)

    def made_for_state(self, noted: object) -> str:
        """Return the path of the state folder, or of one that contains it.

        Raises:
            ValueError: It is a different folder.
        """
        return self.state.itself_or_above(noted)

    def manifest(self, noted: object) -> Path:
        """Return the path of the list of files of the run; its content is not checked.

        Raises:
            ValueError: It is a different file.
        """
        above, name = os.path.split(text(noted))
        self.state.itself(above)
        if not is_of_run(name, rf"(?P<run>{PLAIN})\.db", self.run):
            raise ValueError("it is not the list of files of this run")
        return Path(self.state.path, name)

    def catalogue_at(self, noted: object) -> str:
        """Return the address of the catalogue.

        Raises:
            ValueError: The params of the run name a different one.
        """
        url = text(noted)
        if isinstance(self.catalogue, str):
            if url != self.catalogue:
                raise ValueError(f"by the params of the run it is {self.catalogue or 'nowhere'}")
            return url
        return self.catalogue.itself(url)


def claim_name(run: str, step: str) -> str:
    """Return the name of the claim of a step that uploads.

    A run may have several such steps, each with files of its own, and a claim never changes its
    list of files; so each has its own claim, and they rely on each other like runs do.
    """
    if step == FIRST:
        return run
    return f"{run}.{hashlib.sha256(step.encode()).hexdigest()[:16]}"


def catalogue_of(options: UploadParams) -> str:
    """Return the catalogue of the params, which may be a file named after the target.

    That is `bucket-path.db` for an object storage and `folder.db` for a folder, without dots at the
    start.

    Returns:
        An empty text without a catalogue.
    """
    if isinstance(options.catalogue, str):
        return options.catalogue
    target = target_name(options.target)
    name = target.partition("://")[2].replace("/", "-") or os.path.basename(target)
    return f"{name.lstrip('.')[:_LONGEST] or 'upload'}.db" if options.registers else ""


def _target(given: str, here: str, notes: Notes) -> tuple[Place, Folder | None]:
    place, relative = parse_target(given), relative_path(given)
    if not place.local:
        return place, None
    if relative is not None:
        place = parse_target(os.path.join(here, relative))
    return place, Folder.of(place.path, relative, notes.raw("target"), here=here)


def _state(given: str, here: str, notes: Notes) -> Folder:
    noted = [*folders_of(notes.raw("manifest")), *reversed(notes.raw("folders"))]
    return Folder.of(os.path.join(here, given), relative_path(given), noted, here=here)


def _catalogue(given: str, here: str, notes: Notes) -> Folder | str:
    noted = [
        cast("dict[str, object]", each).get("url")
        for name in ("catalogue", "rows")
        for each in notes.raw(name)
        if isinstance(each, dict)
    ]
    if not given or "://" in given:
        return given
    path = os.path.join(here, os.path.expanduser(given))
    return Folder.of(path, relative_path(given), noted)


def _keys_in(target: Place, paths: Iterable[str]) -> Iterator[str]:
    above = os.path.join(target.path, "")
    for path in map(os.path.normpath, paths):
        if target.local and path.startswith(above):
            yield path.removeprefix(above)
