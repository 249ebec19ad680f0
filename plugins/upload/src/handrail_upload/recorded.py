"""Parses the rollback data of the steps into values within the places of the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from handrail_storage import Place
from handrail_storage.containment import (
    PLAIN,
    Notes,
    identity,
    is_of_run,
    listed,
    mapping,
    saying,
    text,
)
from handrail_upload.errors import ContainmentError, shown
from handrail_upload.site import Site, name_of
from handrail_upload.storage.target import aside_name

_KINDS = frozenset({"file", "tables", "migration"})  # Parts that a catalogue may have lacked.


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTransfer:
    """The parsed rollback data of one transfer.

    Attributes:
        target: The target; empty if nothing at it may be touched.
        mark: The mark of the run's objects.
        keys: Keys that it may have stored.
        identities: The identities of the objects by key, if recorded.
        asides: The names under which it has kept replaced objects, by key.
        folders: Folders that it may have created, as keys.
        parts: Those of the keys that it has sent in parts, which may be incomplete.
        notes: The rollback data, with the rejected values.
    """

    target: str
    mark: str
    keys: list[str] = field(default_factory=list[str])
    identities: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    asides: dict[str, str] = field(default_factory=dict[str, str])
    folders: list[str] = field(default_factory=list[str])
    parts: list[str] = field(default_factory=list[str])
    notes: Notes

    @property
    def run(self) -> str:
        """The run, as in the names of its objects."""
        return self.mark.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCatalogue:
    """A catalogue that a run has worked in.

    Attributes:
        url: Address of the catalogue.
        run: The run, whose mark its parts of the catalogue have.
        made: The parts that were missing: `file`, `tables`, `migration`.
    """

    url: str
    run: str
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSetup:
    """The parsed rollback data of `initialize`.

    Attributes:
        target: The target; empty if nothing at it may be touched.
        mark: The mark of the run's objects.
        made: The folders of the target, and above it, that the run may have created.
        probe: The small object that it may have written; empty if none.
        refused: Whether the target has refused the probe.
        manifest: The list of files.
        folders: The folders of the manifest that the run may have created.
        catalogues: The parts of its catalogue that the run may have created.
        notes: The rollback data, with the rejected values.
    """

    target: str
    mark: str
    made: list[str]
    probe: str
    refused: bool
    manifest: Path | None
    folders: list[str]
    catalogues: list[RecordedCatalogue]
    notes: Notes


def read_transfer(data: object, site_of: Callable[[Notes], Site]) -> RecordedTransfer:
    """Parse the rollback data of `upload_files`.

    Args:
        data: Its rollback data.
        site_of: Returns the places of the run.
    """
    notes = Notes(data, ContainmentError)
    site = site_of(notes)
    target, mark = _whereabouts(notes, site)
    keys = _once(notes.all("keys", partial(_key, site))) if target else []
    if not keys:
        return RecordedTransfer(target=target, mark=mark, notes=notes)
    known = set(keys)

    def recorded(noted: object) -> str:
        if isinstance(noted, str) and noted in known:
            return noted
        raise ValueError("it is no key that the run has recorded")

    def made(noted: object) -> tuple[str, tuple[int, ...]]:
        name, *rest = listed(noted) or (noted,)
        with saying("it tells no file from another"):
            same = identity(rest)
        return recorded(name), same

    aside = partial(_aside, site.place, mark.partition("/")[0])
    return RecordedTransfer(
        target=target,
        mark=mark,
        keys=keys,
        identities=dict(notes.all("made", made)),
        # The run has set nothing aside for other keys.
        asides={key: name for key, name in notes.all("asides", aside) if key in known},
        folders=_folders(notes, keys, site),
        parts=_once(notes.all("parts", recorded)),
        notes=notes,
    )


def read_setup(data: object, site_of: Callable[[Notes], Site]) -> RecordedSetup:
    """Parse the rollback data of `initialize`; see `read_transfer`."""
    notes = Notes(data, ContainmentError)
    site = site_of(notes)
    target, mark = _whereabouts(notes, site)
    probed, cleared, refused = (
        notes.all(note, site.probe, why="the probe of the run has another name")
        for note in ("probe", "cleared", "refused")
    )
    why = "the run has not made it for"
    made = notes.all("made", site.made, why=f"{why} {shown(target)}") if target else []
    folder = shown(site.state.path)
    manifests = notes.all("manifest", site.manifest)
    return RecordedSetup(
        target=target,
        mark=mark,
        made=_once(made),
        probe=probed[-1] if target and probed and not cleared else "",
        refused=bool(refused),
        manifest=manifests[-1] if manifests else None,
        folders=_once(notes.all("folders", site.made_for_state, why=f"{why} {folder}")),
        catalogues=notes.all("catalogue", partial(_catalogue, site)),
        notes=notes,
    )


def read_rows(
    data: object, site_of: Callable[[Notes], Site]
) -> tuple[list[RecordedCatalogue], Notes]:
    """Parse the rollback data of `generate_data_units`; see `read_transfer`."""
    notes = Notes(data, ContainmentError)
    return notes.all("rows", partial(_catalogue, site_of(notes))), notes


def _whereabouts(notes: Notes, site: Site) -> tuple[str, str]:
    """Return the target and the mark; both are empty if one was rejected."""
    why = f"the params of the run name {shown(site.place.address)}"
    targets = notes.all("target", site.address, why=why)
    marks: list[str] = []

    def one_mark(noted: object) -> None:
        marks.append(site.mark(noted))
        if marks[-1] != marks[0]:
            raise ValueError("there is another mark")

    notes.all("mark", one_mark, why="the mark of the run is another")
    # Without a mark, no object there can be recognized as the run's.
    if notes.refused is not None or not targets or not marks:
        return "", ""
    return targets[0], marks[0]


def _key(site: Site, noted: object) -> str:
    name = name_of(noted)
    try:
        return site.key(name)
    except ValueError as error:
        raise ValueError(f"{error} ({site.place.address})") from error


def _aside(place: Place, run: str, noted: object) -> tuple[str, str]:
    """Return the key of a replaced object, and the name under which the run keeps it."""
    with saying("it names no object"):
        key = text(*mapping(noted, "key"))
    kept = aside_name(place, key, run)
    with saying("the run keeps nothing there"):
        (name,) = mapping(noted, "name")
        if name != kept:
            raise ValueError(key)
    return key, kept


def _folders(notes: Notes, keys: list[str], site: Site) -> list[str]:
    """Return the recorded folders as keys, if one of `keys` is inside."""
    above: set[str] = set()
    for key in keys:
        folder = os.path.dirname(key)
        while folder and folder not in above:
            above.add(folder)
            folder = os.path.dirname(folder)
    why = f"it lies outside of the target {shown(site.place.address)}"
    # The run has not created others.
    return [each for each in _once(notes.all("folders", site.folder_key, why=why)) if each in above]


def _catalogue(site: Site, noted: object) -> RecordedCatalogue:
    with saying("it names no catalogue"):
        url = text(*mapping(noted, "url"))
    with saying("the params of the run name another catalogue"):
        known = site.catalogue_at(url)
    with saying("that is not the run"):
        run = text(*mapping(noted, "run"))
        if not is_of_run(run, f"(?P<run>{PLAIN})", site.run):
            raise ValueError(run)
    made = cast("Mapping[str, object]", noted).get("made", ())
    parts = listed(made)
    kinds = [each for each in parts if isinstance(each, str) and each in _KINDS]
    if parts != made or len(kinds) != len(parts):
        raise ValueError("no catalogue has such parts")
    return RecordedCatalogue(url=known, run=run, made=tuple(kinds))


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))
