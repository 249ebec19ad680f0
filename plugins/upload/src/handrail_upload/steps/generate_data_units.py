"""generate_data_units: register what is stored in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from handrail import BaseStep, StepResult
from handrail_upload.catalogue import open_catalogue
from handrail_upload.comparison import pages
from handrail_upload.context import UploadContext, collection_of, units_in
from handrail_upload.manifest import STORED
from handrail_upload.names import count_text, readable

_PAGE = 5000  # Data units that are staged at a time.


class GenerateDataUnitsStep(BaseStep[UploadContext]):
    """Stage the data units in batches, and make them visible in one transaction."""

    name = "generate_data_units"
    progress_weight = 0.20

    def execute(self, context: UploadContext) -> StepResult:
        context.collection = context.collection or collection_of(context.options)
        manifest, catalogue = context.use_manifest(), context.use_catalogue()
        # What is written down is text, and holds from any working folder.
        location = readable(context.use_storage().address)
        context.record_rollback("rows", {"url": context.catalogue_address, "run": context.run})
        total, done = manifest.count_units(*STORED), 0
        for units in pages(manifest.units(location), _PAGE):
            done += catalogue.stage(context.run, context.collection, units)
            context.set_progress(min(done, total), total, "units")
        published = catalogue.publish(context.run, context.collection)
        context.data_units = units_in(manifest, location, *STORED)
        changed = f", {published.units_changed:,} changed" if published.units_changed else ""
        summary = (
            f"{count_text(published.units_added, 'new unit')}{changed}, "
            f"{published.units_unchanged:,} unchanged in {context.catalogue_url}"
        )
        return StepResult(
            data={
                "summary": summary,
                "units": total,
                "added": published.units_added,
                "changed": published.units_changed,
                "unchanged": published.units_unchanged,
                "catalogue": context.catalogue_url,
            }
        )

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        for made in result.rollback_data.get("rows", []):
            with open_catalogue(made["url"]) as catalogue:
                removed = catalogue.remove(made["run"])
            units = removed.units_removed + removed.units_restored
            summary = f"{count_text(units, 'unit')} taken out of {catalogue.shown}"
            context.log("undone", {"summary": summary})

    def preview(self, context: UploadContext) -> Iterator[str]:
        units = context.use_manifest().count_units()
        yield f"register {count_text(units, 'unit')} in {context.catalogue_url}"
