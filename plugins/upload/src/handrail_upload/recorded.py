"""Parses the rollback data of the steps into values within the places of the run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from handrail_upload.containment import Notes, Place, misfit, shown
from handrail_upload.places import Places
from handrail_upload.storage.target import aside_name

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")  # Of a run outside of a journal.
_KINDS = frozenset({"file", "tables", "migration"})  # Parts that a catalogue may have lacked.
_NOT_THE_LIST = "it is not the list of files of this run"


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


def read_transfer(data: Mapping[str, Any], places: Places) -> RecordedTransfer:
    """Parse the rollback data of `upload_files`.

    Args:
        data: Its rollback data.
        places: The places of the run.
    """
    notes = Notes(data)
    target, mark, recorded = _whereabouts(notes, places)
    keys = _fitting(notes, notes.texts("keys"), places) if target else []
    if not keys:
        return RecordedTransfer(target=target, mark=mark, notes=notes)
    known = set(keys)
    run = mark.partition("/")[0]
    return RecordedTransfer(
        target=target,
        mark=mark,
        keys=keys,
        identities=_identities(notes, known),
        asides=_asides(notes, known, lambda key: aside_name(places.target, key, run)),
        folders=_folders(notes, keys, recorded),
        parts=[each for each in notes.texts("parts") if _is_among(notes, "parts", each, known)],
        notes=notes,
    )


def read_setup(data: Mapping[str, Any], places: Places) -> RecordedSetup:
    """Parse the rollback data of `initialize`; see `read_transfer`."""
    notes = Notes(data)
    target, mark, _ = _whereabouts(notes, places)
    manifest, run = _manifest(notes, places, places.run or mark.partition("/")[0])
    probe = f".handrail-probe-{run}"
    told = {note: _probed(notes, note, probe) for note in ("probe", "cleared", "refused")}
    made = notes.texts("made") if target else []
    return RecordedSetup(
        target=target,
        mark=mark,
        made=_above(notes, "made", made, places.root, places),
        probe=probe if target and told["probe"] and not told["cleared"] else "",
        refused=told["refused"],
        manifest=manifest,
        folders=_above(notes, "folders", notes.texts("folders"), places.folder, places),
        catalogues=_catalogues(notes, "catalogue", places, run),
        notes=notes,
    )


def read_rows(data: Mapping[str, Any], places: Places) -> tuple[list[RecordedCatalogue], Notes]:
    """Return where `generate_data_units` has registered anything; see `read_transfer`."""
    notes = Notes(data)
    return _catalogues(notes, "rows", places, places.run or ""), notes


def _whereabouts(notes: Notes, places: Places) -> tuple[str, str, str]:
    """Return the target, the mark, and the recorded target; empty if they are refused."""
    recorded = ""
    for each in notes.texts("target"):
        if not places.root.is_named_by(each):
            why = f"the params of the run name {shown(places.root.path)}"
            notes.refuse("target", each, why, to="undo what is at")
            return "", "", ""
        recorded = each
    marks = notes.texts("mark")
    for each in marks:
        run = each.partition("/")[0]
        if marks[0] != each or (places.run or run) != run or not _NAME.fullmatch(run):
            notes.refuse("mark", each, "the mark of the run is another", to="undo what is marked")
            return "", "", ""
    # Without a mark, no object can be identified as the run's.
    return (places.root.path, marks[0], recorded) if recorded and marks else ("", "", "")


def _is_among(notes: Notes, note: str, key: object, known: set[str]) -> bool:
    if isinstance(key, str) and key in known:
        return True
    notes.refuse(note, key, "it is no key that the run has recorded")
    return False


def _fitting(notes: Notes, keys: list[str], places: Places) -> list[str]:
    fitting: list[str] = []
    for key in keys:
        why = places.misfit(key)
        if why is None:
            fitting.append(key)
        else:
            notes.refuse("keys", key, f"{why} ({places.root.path})")
    return fitting


def _identities(notes: Notes, known: set[str]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for each in notes.values("made"):
        key, *identity = _items_of(each) or [each]
        numbers = tuple(part for part in identity if type(part) is int)
        if len(numbers) != 4 or len(identity) != 4:
            notes.refuse("made", each, "it tells no file from another")
        elif isinstance(key, str) and _is_among(notes, "made", key, known):
            found[key] = numbers
    return found


def _asides(notes: Notes, known: set[str], name_of: Callable[[str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in notes.values("asides"):
        pair = _parts_of(each)
        key = pair.get("key")
        if not isinstance(key, str) or not notes.is_name("asides", key):
            notes.refuse("asides", each, "it names no object", to="put back")
        elif pair.get("name") != name_of(key):
            notes.refuse("asides", each, "the run keeps nothing there", to="put back")
        elif key in known:  # Else the run has not come to set it aside.
            found[key] = name_of(key)
    return found


def _folders(notes: Notes, keys: list[str], root: str) -> list[str]:
    """Return the recorded folders as keys, if one of `keys` is inside."""
    above: set[str] = set()
    for key in keys:
        folder = os.path.dirname(key)
        while folder and folder not in above:
            above.add(folder)
            folder = os.path.dirname(folder)
    below, found = os.path.join(root, ""), list[str]()
    for each in notes.texts("folders"):
        folder = each.removeprefix(below)
        if folder == each or misfit(folder) is not None:
            notes.refuse("folders", each, f"it lies outside of the target {shown(root)}")
        elif folder in above:  # Otherwise the run has not created it.
            found.append(folder)
    return found


def _manifest(notes: Notes, places: Places, run: str) -> tuple[Path | None, str]:
    """Return the list of files, and the run that it is of."""
    path: Path | None = None
    for each in notes.texts("manifest"):
        if not run and _NAME.fullmatch(Path(each).stem):
            run = Path(each).stem
        place = places.manifest_of(run)
        if place.is_named_by(each):
            path = Path(place.path)
        else:
            folder = shown(places.folder.path)
            outside = os.path.dirname(os.path.normpath(each)) != os.path.normpath(folder)
            why = f"it is outside the run's state folder {folder}" if outside else _NOT_THE_LIST
            notes.refuse("manifest", each, why)
    return path, run


def _probed(notes: Notes, note: str, probe: str) -> bool:
    names = notes.texts(note)
    for each in names:
        if each != probe:
            notes.refuse(note, each, "the probe of the run has another name")
    return probe in names


def _above(notes: Notes, note: str, folders: list[str], place: Place, places: Places) -> list[str]:
    found = place.above(folders, places.here)
    for each, path in found.items():
        if path is None:
            notes.refuse(note, each, f"the run has not made it for {shown(place.path)}")
    return [path for path in found.values() if path is not None]


def _catalogues(notes: Notes, note: str, places: Places, run: str) -> list[RecordedCatalogue]:
    found: list[RecordedCatalogue] = []
    for each in notes.values(note):
        parts = _parts_of(each)
        url, whose = parts.get("url"), parts.get("run")
        if not isinstance(url, str) or not notes.is_name(note, url):
            notes.refuse(note, each, "it names no catalogue", to="undo")
            continue
        known = places.catalogue_named_by(url)
        if known is None:
            why = "the params of the run name another catalogue"
            notes.refuse(note, url, why, to="undo what is in")
        elif not isinstance(whose, str) or (run or whose) != whose or not _NAME.fullmatch(whose):
            notes.refuse(note, whose, "that is not the run", to="undo what was brought by")
        elif not set(made := _texts_of(parts.get("made", []))) <= _KINDS:
            notes.refuse(note, each, "no catalogue has such parts")
        else:
            found.append(RecordedCatalogue(url=known, run=whose, made=tuple(made)))
    return found


def _parts_of(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _items_of(value: object) -> list[object]:
    """Return the items of a list; of anything else, that alone."""
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _texts_of(value: object) -> list[str]:
    return [each if isinstance(each, str) else "" for each in _items_of(value)]
