"""organize_files: find the files, and group them into data units."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail import BaseStep, SourceChangedError, StepResult
from handrail_storage import count_text, pages
from handrail_upload.context import UploadContext
from handrail_upload.errors import SourceError, UploadError
from handrail_upload.names import readable

if TYPE_CHECKING:
    from handrail_upload.discovery import Discovery, Found, LeftAlone, Search
    from handrail_upload.manifest import FoundRow, Manifest
    from handrail_upload.params import UploadParams
    from handrail_upload.specification import Specification


_PAGE = 1000  # Files that are added at a time.
_SHOWN = 20  # Rows without a file that are listed one by one.
_WORDS = {
    "hidden": ("hidden file",),
    "link": ("link",),
    "special": ("special file",),
    "vanished": ("vanished file",),
    "own": ("Handrail folder",),
    "outside": ("outside of size or age", "outside of size or age"),
}
_FILTERS = ("include", "exclude", "files_from", "min_size", "max_size", "min_age", "max_age")


class OrganizeFilesStep(BaseStep[UploadContext]):
    """Find the files, and group those with the same stem.

    Args:
        discovery: The strategy to find the files; walks the source unless given.
    """

    name = "organize_files"
    progress_weight = 0.15
    effects = False

    def __init__(self, discovery: Discovery | None = None) -> None:
        self.discovery = discovery

    def restore(self, context: UploadContext, result: StepResult) -> None:
        from handrail_upload.discovery import FolderDiscovery
        from handrail_upload.manifest import UNSETTLED, Manifest
        from handrail_upload.manifest.views import files_in
        from handrail_upload.reading import check_unchanged

        context.organized_files = files_in(Path(context.manifest_path))
        try:
            path = context.manifest_file()
            if not path.is_file():
                raise SourceChangedError(f"the list of files {path} is gone")
            with closing(Manifest(path, make=False)) as manifest:
                # Files of another discovery need not be files of this machine.
                usual = self.discovery is None or isinstance(self.discovery, FolderDiscovery)
                if usual and context.options.on_changed == "fail":
                    check_unchanged(manifest.files(*UNSETTLED), context.run_name)
        except UploadError as error:
            raise SourceChangedError(error.message) from error

    def execute(self, context: UploadContext) -> StepResult:
        from handrail_upload.discovery import FolderDiscovery
        from handrail_upload.manifest.views import files_in

        manifest = context.use_manifest()
        manifest.clear()
        searched = time.time_ns()
        manifest.describe(searched=searched)
        discovery = self.discovery or FolderDiscovery()
        if context.options.delete_missing and not isinstance(discovery, FolderDiscovery):
            raise SourceError(
                "this upload finds its files in another way than in a folder, so nothing tells what"
                " the source no longer has",
                ways_out=("leave --delete-missing out",),
            )
        rows = discovery.find(search_of(context, searched))
        found = _placed(rows, context.specification, manifest)
        if context.options.limit is not None:
            found = _of_first_units(found, context.options.limit)
        for files in pages(found, _PAGE):
            for (path, name, _, unit, *_), other, there in manifest.add_found(files):
                if there == path:  # A list of files may name it twice.
                    continue
                if other == name:  # As text; the names of files are bytes.
                    name, other = (repr(os.fsdecode(each)) for each in (path, there))
                manifest.note("clash", name, f"{other} has its place in unit {unit}")
        manifest.keep()
        context.organized_files = files_in(manifest)
        options = context.options
        result = result_of(manifest)
        told_later = result.data["left"].keys() - _WORDS.keys()  # By validate_files.
        if not (result.data["files"] or options.allow_nothing or told_later):
            raise no_files("upload", options, result.data)
        if options.metadata_file is not None:
            result.data.update(_tell_unmatched(context, manifest))
        return result


def search_of(context: UploadContext, now: int) -> Search:
    """Return the search for the sources, without files that this upload itself uses.

    Args:
        context: The context of the run.
        now: The moment, in nanoseconds since the epoch, at which files have their age.
    """
    from handrail_upload.catalogue.address import SqliteAddress, parse
    from handrail_upload.discovery import Search, read_names
    from handrail_upload.storage import parse_target

    options = context.options
    target, named = parse_target(options.target), context.catalogue_address
    catalogue = parse(named) if named else None
    database = str(catalogue.path) if isinstance(catalogue, SqliteAddress) else None
    apart = [
        options.metadata_file,
        options.specification,
        options.files_from,
        options.folder,
        target.path if target.scheme == "file" else None,
        *(database and f"{database}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")),
    ]
    return Search(
        sources=options.folders,
        include=tuple(options.include),
        exclude=tuple(options.exclude),
        names=None if options.files_from is None else read_names(options.files_from),
        hidden=options.hidden,
        follow_links=options.follow_links,
        sizes=(options.min_size or 0, inf if options.max_size is None else options.max_size),
        times=(
            -inf if options.max_age is None else now - options.max_age * 1e9,
            inf if options.min_age is None else now - options.min_age * 1e9,
        ),
        avoid=frozenset(os.path.realpath(each) for each in apart if each is not None),
    )


def _placed(
    found: Iterator[Found | LeftAlone], specification: Specification | None, manifest: Manifest
) -> Iterator[FoundRow]:
    """Yield the files with their roles and units; note those left alone."""
    from handrail_upload.manifest import FILE_NAMES, LATEST

    alone: list[tuple[str, str, str]] = []  # Noted many at a time; there may be more than files.
    # A call for each file would take as long as what is done for it here.
    for each in found:
        if not isinstance(each, tuple):
            alone.append((each.kind, each.name, each.why))
            if len(alone) == _PAGE:
                manifest.note_many(alone)
                alone.clear()
            continue
        path, bare, source, size, mtime, dev, ino, ctime = each
        unit = name = f"{source}/{bare}" if source else bare
        role = "file"
        if specification is not None:
            place = specification.place(bare, source)
            if place is None:
                manifest.note("unplaced", name, "it fits no role of the specification")
                continue
            role, unit = place
        key = name if name.isprintable() else readable(name)
        mtime = mtime if mtime < LATEST else LATEST  # noqa: FURB136 - see above
        yield path.encode(*FILE_NAMES), name, key, unit, role, size, mtime, dev, ino, ctime
    manifest.note_many(alone)


def _of_first_units(found: Iterator[FoundRow], limit: int) -> Iterator[FoundRow]:
    """Yield the files of the first units; the files of one unit may lie far from each other."""
    units: set[str] = set()
    for row in found:
        unit = row[3]
        if unit in units or len(units) < limit:
            units.add(unit)
            yield row


def result_of(manifest: Manifest) -> StepResult:
    """Return how many files were found, and what was left alone."""
    files, size = manifest.totals()
    units = manifest.count_units()
    counts = manifest.oddity_counts()
    left = [count_text(counts[kind], *words) for kind, words in _WORDS.items() if kind in counts]
    ignored = f", {', '.join(left)} ignored" if left else ""
    summary = f"{count_text(files, 'file')} in {count_text(units, 'unit')}{ignored}"
    return StepResult(
        data={"summary": summary, "files": files, "bytes": size, "units": units, "left": counts}
    )


def no_files(verb: str, options: UploadParams, found: Mapping[str, Any]) -> SourceError:
    """Return the refusal of a source without files, such as that of a disk that is not mounted."""
    given = [
        f"--{each.replace('_', '-')}"
        for each in _FILTERS
        if getattr(options, each) not in (None, [])
    ]
    why = f"no file fits {', '.join(given)}" if given else "the source has no files"
    way = "check them" if given else "check that its disk is mounted"
    if "hidden" in found["left"] and not given:
        way = "include hidden files: --hidden"
    return SourceError(
        f"there is nothing to {verb}: {why} ({found['summary']})",
        ways_out=(way, "if that is right: --allow-nothing"),
    )


def _tell_unmatched(context: UploadContext, manifest: Manifest) -> dict[str, int]:
    """Report rows of the metadata without a file: a name may be misspelt."""
    rows, first, files = manifest.unmatched_metadata(_SHOWN)
    for name, line in first:
        context.log("metadata_without_file", {"summary": f"line {line} of the metadata"}, name)
    if rows > len(first):
        context.log("metadata_without_file", {"summary": f"and {rows - len(first):,} more"})
    return {"metadata_without_file": rows, "files_without_metadata": files}
