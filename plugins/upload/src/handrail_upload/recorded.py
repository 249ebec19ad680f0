"""Parses the rollback data of the steps into values within the places of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import cast

from handrail.frozen import frozen
from handrail_storage.containment import PLAIN, Notes, is_of_run, listed, mapping, text
from handrail_upload.errors import ContainmentError
from handrail_upload.site import Site

_KINDS = frozenset({"file", "tables"})  # Parts that a catalogue may have lacked.


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
        made: The parts that were missing: `file`, `tables`.
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
    targets = notes.all("target", site.address)
    claims = notes.all("claim", site.claim)
    claimed = notes.all("claimed", site.claim)
    if notes.refused is not None or not targets or not claims:
        target = targets[0] if targets and notes.refused is None else ""
        return RecordedTransfer(target=target, claim="", notes=notes)
    return RecordedTransfer(
        target=targets[0],
        claim=claims[0],
        claimed=bool(claimed),
        folders=_once(notes.all("folders", site.folder_key)),
        notes=notes,
    )


def read_setup(data: object, site_of: Callable[[Notes], Site]) -> RecordedSetup:
    """Parse the rollback data of `initialize`; see `read_transfer`."""
    notes = Notes(data, ContainmentError)
    site = site_of(notes)
    target, mark = _whereabouts(notes, site)
    probed, cleared, refused = (
        notes.all(note, site.probe) for note in ("probe", "cleared", "refused")
    )
    made = notes.all("made", site.made) if target else []
    manifests = notes.all("manifest", site.manifest)
    return RecordedSetup(
        target=target,
        mark=mark,
        made=_once(made),
        probe=probed[-1] if target and probed and not cleared else "",
        refused=bool(refused),
        manifest=manifests[-1] if manifests else None,
        folders=_once(notes.all("folders", site.made_for_state)),
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
    targets, marks = notes.all("target", site.address), notes.all("mark", site.mark)
    # Without a mark, no object there can be recognized as the run's.
    if notes.refused is not None or not targets or not marks:
        return "", ""
    return targets[0], marks[0]


def _catalogue(site: Site, noted: object) -> RecordedCatalogue:
    url, run = map(text, mapping(noted, "url", "run"))
    known = site.catalogue_at(url)
    if not is_of_run(run, f"(?P<run>{PLAIN})", site.run):
        raise ValueError("that is not the run")
    made = cast("Mapping[str, object]", noted).get("made", ())
    parts = listed(made)
    kinds = [each for each in parts if isinstance(each, str) and each in _KINDS]
    if parts != made or len(kinds) != len(parts):
        raise ValueError("no catalogue has such parts")
    return RecordedCatalogue(url=known, run=run, made=tuple(kinds))


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))
