"""generate_data_units: register the stored files in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handrail import BaseStep, SourceChangedError, StepResult
from handrail.frozen import replace
from handrail_storage import count_text
from handrail_upload.context import UploadContext, collection_of
from handrail_upload.errors import CatalogueError
from handrail_upload.names import readable

if TYPE_CHECKING:
    from handrail_upload.catalogue import Published

_UNREGISTERED = "--no-catalogue: nothing is registered"


class GenerateDataUnitsStep(BaseStep[UploadContext]):
    """Compare the data units with the catalogue, and register those that differ, all at once."""

    name = "generate_data_units"
    progress_weight = 0.20
    # No row is left that points at a deleted object, and the undo of those has its list of files.
    undo_before = ("upload_files", "initialize")

    def execute(self, context: UploadContext) -> StepResult:
        context.needs("upload_files")
        if not context.options.registers:
            context.show_units(context.use_manifest())
            context.log("unregistered", {"summary": _UNREGISTERED})
            return StepResult(skipped=True)
        # Recorded locations are text, independent of the working folder.
        context.record_rollback("rows", {"url": context.catalogue_address, "run": context.run})
        return self._register(context, self._publish(context))

    def resume(self, context: UploadContext, result: StepResult) -> StepResult:
        """Register the units, unless that has happened."""
        from handrail_storage.claims import HeldChangedError

        try:
            if not result.rollback_data.get("rows"):
                return self.execute(context)
            published = context.use_catalogue().published(context.run)
            return self._register(context, published or self._publish(context))
        except HeldChangedError as error:
            raise SourceChangedError(error.message, ways_out=error.ways_out) from error

    def restore(self, context: UploadContext, result: StepResult) -> None:
        context.show_units(Path(context.manifest_path))

    def _publish(self, context: UploadContext) -> Published:
        """Register the units, once it is certain that all is there that the run holds.

        What is registered must be what is there. Another run may replace it as soon as this one
        holds; if that one registers, then after this one.
        """
        from handrail_upload.claiming import holding_of

        unsettled = [each for each in holding_of(context) if not each.is_known]
        while True:
            for each in unsettled:
                each.look()
            try:
                return self._publish_settled(context)
            except _UnsettledError:
                unsettled = list(holding_of(context))

    def _publish_settled(self, context: UploadContext) -> Published:
        collection = context.collection = context.collection or collection_of(context.options)
        listing = context.use_manifest().listing(readable(context.use_storage().address))
        checked, setup = map(context.results.get, ("validate_files", "initialize"))
        if checked is not None:  # Files that could not be read have no state in the list.
            before = checked.data.get("left_out", 0)
            listing = replace(listing, left_out=listing.left_out + before)
        new = setup is not None and setup.data.get("empty_catalogue")
        while True:
            try:
                return context.use_catalogue().publish(
                    context.run, collection, listing, confirm=partial(_confirm, context)
                )
            except CatalogueError:
                # Where it was new, the run that had made it may have been refused, and have taken
                # it back meanwhile.
                if not (new and context.use_catalogue().missing()):
                    raise
                context.prepare_catalogue()

    def _register(self, context: UploadContext, published: Published) -> StepResult:
        from handrail_upload.manifest import INCOMPLETE, STORED

        manifest = context.use_manifest()
        context.show_units(manifest)
        total = manifest.count_units(*STORED)
        if total:
            context.set_progress(total, total, "units")
        changed = f", {published.units_changed:,} changed" if published.units_changed else ""
        if published.units_removed:
            changed += f", {published.units_removed:,} removed"
        unchanged = total - published.units_added - published.units_changed
        incomplete = manifest.oddity_counts().get(INCOMPLETE, 0)
        lost = f", {count_text(incomplete, 'incomplete one')} not registered" if incomplete else ""
        summary = (
            f"{count_text(published.units_added, 'new unit')}{changed}, "
            f"{unchanged:,} unchanged in {context.catalogue_url}{lost}"
        )
        return StepResult(
            data={
                "summary": summary,
                "units": total,
                "added": published.units_added,
                "changed": published.units_changed,
                "removed": published.units_removed,
                "unchanged": unchanged,
                "catalogue": context.catalogue_url,
            }
        )

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        # Where others at the target are in the way, nothing at all is undone.
        from handrail_upload.catalogue import open_catalogue
        from handrail_upload.recorded import read_rows
        from handrail_upload.undo import take_rows_back

        undoing = context.begin_undo()
        catalogues, made, notes = read_rows(result.rollback_data, context.site)
        for each in catalogues:
            summary = take_rows_back(each, undoing, context.set_status)
            context.log("undone", {"summary": summary})
        for each in made:
            with open_catalogue(each.url, known=True, on_status=context.set_status) as catalogue:
                catalogue.withdraw(each.run, each.made)
        notes.check()

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        from handrail_upload.catalogue import open_catalogue
        from handrail_upload.recorded import read_rows

        catalogues, _, notes = read_rows(result.rollback_data, context.site)
        for each in catalogues:
            with open_catalogue(each.url) as catalogue:  # Nothing connects to it.
                yield from _leaving(catalogue.shown, result, *_staying(context))
        yield from notes.refusals

    def preview(self, context: UploadContext) -> Iterator[str]:
        from handrail_upload.manifest import NEW, REPLACE, STORED

        context.needs("organize_files")
        units = context.use_manifest().count_units(NEW, REPLACE, *STORED)
        if context.options.registers:
            yield f"register {count_text(units, 'unit')} in {context.catalogue_url}"
        else:
            yield _UNREGISTERED


class _UnsettledError(Exception):
    """Another run has come that may have changed what this one holds."""


def _confirm(context: UploadContext) -> None:
    from handrail_upload.claiming import holding_of

    if not all(each.is_settled for each in holding_of(context)):
        raise _UnsettledError


def _leaving(shown: str, result: StepResult, staying: int, files: int) -> Iterator[str]:
    """Yield what leaves the catalogue, as far as that is known without asking it.

    Args:
        shown: The catalogue.
        result: What the run has registered.
        staying: The number of files whose rows are left to other runs.
        files: The number of all files that it relies on.
    """
    all_stay = staying > 0 and staying == files
    added, changed, removed = (result.data.get(name) for name in ("added", "changed", "removed"))
    if not (isinstance(added, int) and isinstance(changed, int) and isinstance(removed, int)):
        yield f"what was registered leaves {shown}"
    else:
        most = "up to " if staying else ""
        if added and not all_stay:
            yield f"{most}{count_text(added, 'unit')} removed from {shown}"
        if changed:
            yield f"{most}{count_text(changed, 'former row')} back in {shown}"
        if removed:
            yield f"{count_text(removed, 'removed unit')} back in {shown}"
        if not (added or changed or removed or all_stay):
            yield f"what has passed on to the run from others leaves {shown}, if anything has"
    if staying:
        files_text = f"{'all ' if all_stay else ''}{count_text(staying, 'file')}"
        yield f"the rows of {files_text} stay in {shown}, as those of a run that relies on them"


def _staying(context: UploadContext) -> tuple[int, int]:
    """Return the number of files whose rows an undo would leave to other runs, and of all."""
    from handrail_upload.claiming import claims_to_look_at

    recorded = next(context.transfers(), None)
    if recorded is None or not recorded.claim:
        return 0, 0
    return claims_to_look_at(context, recorded).count_passing_on()
