"""Parses the rollback data of the steps into values within the places of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import cast

from handrail.frozen import frozen
from handrail_storage.containment import (
    PLAIN,
    Notes,
    is_of_run,
    listed,
    mapping,
    saying,
    text,
)
from handrail_upload.errors import ContainmentError, shown
from handrail_upload.site import Site

_KINDS = frozenset({"file", "tables", "migration"})  # Parts that a catalogue may have lacked.


@frozen
class RecordedTransfer:
    """The parsed rollback data of one transfer; what it may have stored, its claim tells.

    Attributes:
        target: The target; empty if nothing at it may be touched.
        claim: The name of its claim there; empty if it has not asked for one.
        claimed: Whether it has got the claim.
        folders: Folders that it may have created, as keys.
        notes: The rollback data, with the rejected values.
    """

    target: str
    claim: str
    claimed: bool = False
    folders: list[str] = field(default_factory=list[str])
    notes: Notes

    @property
    def run(self) -> str:
        """The run, as in the names of its files."""
        return self.claim.partition(".")[0]


@frozen
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


@frozen
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
    targets = notes.all("target", site.address, why=_why_address(site))
    claims = notes.all("claim", site.claim, why="the claim of the run has another name")
    claimed = notes.all("claimed", site.claim, why="the claim of the run has another name")
    if notes.refused is not None or not targets or not claims:
        target = targets[0] if targets and notes.refused is None else ""
        return RecordedTransfer(target=target, claim="", notes=notes)
    why = f"it lies outside of the target {shown(site.place.address)}"
    return RecordedTransfer(
        target=targets[0],
        claim=claims[0],
        claimed=bool(claimed),
        folders=_once(notes.all("folders", site.folder_key, why=why)),
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
) -> tuple[list[RecordedCatalogue], list[RecordedCatalogue], Notes]:
    """Parse the rollback data of `generate_data_units`; see `read_transfer`.

    Returns:
        The catalogues with rows of the run, and those of which it has made something.
    """
    notes = Notes(data, ContainmentError)
    check = partial(_catalogue, site_of(notes))
    return notes.all("rows", check), notes.all("catalogue", check), notes


def _whereabouts(notes: Notes, site: Site) -> tuple[str, str]:
    """Return the target and the mark; both are empty if one was rejected."""
    targets = notes.all("target", site.address, why=_why_address(site))
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


def _why_address(site: Site) -> str:
    return f"the params of the run name {shown(site.place.address)}"


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
