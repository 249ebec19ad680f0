"""convert_data: write the files of the export, batch by batch, into the folder of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail import BaseStep, SourceChangedError, StepResult
from handrail.frozen import replace
from handrail_export.context import ExportContext
from handrail_export.errors import ChoiceError, InvalidPicturesError, SourceError
from handrail_export.names import listed
from handrail_storage import count_text, size_text

if TYPE_CHECKING:
    from handrail_export.formats import CollectionFormat, Picture, RowFormat
    from handrail_export.manifest import ExportedFile
    from handrail_export.pictures import Annotations, Found
    from handrail_export.rows import Rows
    from handrail_export.undo import ConvertUndo


_SHOWN = 20  # Invalid pictures that are listed one by one.
_PAGE = 500


class ConvertDataStep(BaseStep[ExportContext]):
    """Write the files of the export into the folder of the run, and note their checksums.

    Args:
        annotations: The strategy to find shapes in pictures; metadata and masks unless given.
    """

    name = "convert_data"
    progress_weight = 0.30

    def __init__(self, annotations: Annotations | None = None) -> None:
        self.annotations = annotations

    def resume(self, context: ExportContext, result: StepResult) -> StepResult:
        """Start again, after checking that the source can be read and has the same columns."""
        try:
            _check_columns(context)
        except (SourceError, ChoiceError) as error:
            raise SourceChangedError(error.message, ways_out=error.ways_out) from error
        self._undo(context, result).run()
        return self.execute(context)

    def execute(self, context: ExportContext) -> StepResult:
        from handrail_export.formats import CollectionFormat, RowFormat, find_format
        from handrail_export.staging import convert_disk_errors

        context.needs("initialize")
        _check_columns(context)
        folder = context.use_staging() / "files"
        context.record_rollback("written", str(folder))
        context.use_manifest().clear()
        with convert_disk_errors(folder):
            folder.mkdir()
            written_as = find_format(context.layout.format)
            if isinstance(written_as, CollectionFormat):
                noun = "picture"
                _Pictures(context, written_as, self.annotations).write(folder)
            else:
                assert isinstance(written_as, RowFormat)
                noun = "row"
                _write_rows(context, written_as, folder)
                _check_files(context)
        context.close_rows()
        manifest = context.use_manifest()
        manifest.describe(
            collection=context.collection,
            columns=[each["name"] for each in context.schema] if noun == "row" else None,
            exported_count=context.exported_count,
            failed_count=context.failed_count,
            total_count=context.total_count,
        )
        manifest.keep()
        _attach_files(context)
        return _result(context, noun)

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.close_rows()
        self._undo(context, result).run()

    def preview_rollback(self, context: ExportContext, result: StepResult) -> Iterator[str]:
        return self._undo(context, result).preview()

    def _undo(self, context: ExportContext, result: StepResult) -> ConvertUndo:
        from handrail_export.site import site_of
        from handrail_export.undo import ConvertUndo

        notes = context.notes_of(result)
        return ConvertUndo.of(notes, site_of(context, notes))

    def preview(self, context: ExportContext) -> Iterator[str]:
        options = context.options
        columns = ", ".join(each["name"] for each in context.schema)
        yield f"convert {columns} to {context.layout.format}"
        if options.where:
            yield f"only where {options.where}"
        if options.limit:
            yield f"at most {options.limit:,}"


def _check_columns(context: ExportContext) -> None:
    """Check that the source has the columns that were seen by `fetch_results`.

    Raises:
        SourceError: The source cannot be read.
        ChoiceError: A selected column does not exist.
        SourceChangedError: The columns have changed.
    """
    rows = context.use_rows()
    now = {each.name: each.type for each in rows.columns}
    before = {each["name"]: each["type"] for each in context.schema}
    if before and list(now.items()) != list(before.items()):
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        raise SourceChangedError(
            f"the columns of {rows.source.shown} have changed since the run began: "
            f"{listed(changed, most=6) or 'their order'}"
        )


def _check_files(context: ExportContext) -> None:
    """Check that the files of the source did not change while they were read.

    Raises:
        SourceError: They did, or are gone.
        StorageError: The storage of the source failed or refused.
    """
    from handrail.errors import describe
    from handrail_export.sources import addresses_of
    from handrail_export.sources.stamps import check_unchanged

    if context.source_files:
        try:
            check_unchanged(context.source_files, addresses_of(context.options))
        except (SourceChangedError, OSError) as error:
            # Not one that leaves all as it is: what was read may be neither the old nor the new.
            raise SourceError(describe(error)) from None


def _attach_files(context: ExportContext) -> None:
    from handrail.attachments import Table

    manifest = context.use_manifest()
    rows = ((each.path, each.rows, each.size, each.sha256) for each in manifest.files())
    total, _ = manifest.totals()
    context.attach("files", Table(("file", "rows", "bytes", "sha256"), rows, total=total))


def _result(context: ExportContext, noun: str) -> StepResult:
    files, size = context.use_manifest().totals()
    failed = f", {context.failed_count:,} left out" if context.failed_count else ""
    counted = f"{count_text(context.exported_count, noun)}{failed}"
    rest = f" · {count_text(files, 'file')}, {size_text(size)}"
    summary = f"{counted}{rest}" if context.exported_count else f"no {noun}s{failed}"
    return StepResult(
        data={
            "summary": summary,
            "noun": noun,
            "exported_count": context.exported_count,
            "failed_count": context.failed_count,
            "total_count": context.total_count,
            "bytes": size,
        }
    )


def _write_rows(context: ExportContext, written_as: RowFormat, folder: Path) -> None:
    import shutil

    split = tuple(context.options.partition_by)
    name = context.layout.file or f"data{written_as.ending}"
    rows: Rows = context.use_rows()
    count = written_as.write(rows, folder if split else folder / name, split)
    context.total_count = context.exported_count = count
    if count == 0:
        shutil.rmtree(folder)
        return
    context.close_rows()  # Its memory is not needed any more.
    _note(
        context,
        folder,
        lambda path: _written(path, folder, written_as.count(path) if split else count),
    )


def _note(context: ExportContext, folder: Path, describe: Callable[[Path], ExportedFile]) -> None:
    """Note all files of the export, each flushed and with its checksum, several at a time."""
    from concurrent.futures import ThreadPoolExecutor

    from handrail_export.staging import files_below
    from handrail_storage import pages

    with ThreadPoolExecutor(context.options.concurrency) as pool:
        for paths in pages(files_below(folder), _PAGE):
            context.use_manifest().add(pool.map(describe, paths))


def _written(path: Path, folder: Path, rows: int | None) -> ExportedFile:
    from handrail_export.manifest import ExportedFile
    from handrail_export.staging import settle

    size, sha256 = settle(path)
    return ExportedFile(
        path=path.relative_to(folder).as_posix(), size=size, sha256=sha256, rows=rows
    )


class _Pictures:
    """Writes the descriptions of the pictures of a collection, and notes the files to copy."""

    def __init__(
        self,
        context: ExportContext,
        written_as: CollectionFormat,
        annotations: Annotations | None,
    ) -> None:
        self._context = context
        self._format = written_as
        self._annotations = annotations
        self._copies: list[ExportedFile] = []
        self._paths: set[str] = set()
        self._problems: list[str] = []

    def write(self, folder: Path) -> None:
        import shutil

        context = self._context
        context.total_count = context.exported_count = context.failed_count = 0
        self._format.write(self._pictures(), folder, tuple(context.options.categories))
        self._keep()
        if self._problems and context.options.on_invalid == "fail":
            more = context.failed_count - 1
            rest = f", and {count_text(more, 'more picture')}" if more else ""
            raise InvalidPicturesError(
                f"{self._problems[0]}{rest}", ways_out=("leave them out: --on-invalid skip",)
            )
        if context.exported_count == 0:
            shutil.rmtree(folder)
            return
        _note(context, folder, lambda path: _written(path, folder, None))

    def _pictures(self) -> Iterator[Picture]:
        from handrail_export.manifest import ExportedFile
        from handrail_export.pictures import Collection
        from handrail_export.pictures.units import units_of
        from handrail_export.target import CALLER
        from handrail_storage import Reader

        context, options = self._context, self._context.options
        collection = Collection(
            units_of(_catalogue_rows(context.use_rows())),
            Reader(CALLER, retries=options.retries, on_status=context.set_status),
            pictures=options.pictures,
            masks=options.masks,
            categories=options.categories,
            split_by=options.partition_by,
            default_split=self._format.default_split,
            annotations=self._annotations,
            workers=options.concurrency,
        )
        for found in collection:
            context.total_count += 1
            if found.picture is not None and self._taken(found.picture.path):
                problem = f"{found.unit}: there is another picture {found.picture.path}"
                found = replace(found, picture=None, problem=problem)
            if found.picture is None or found.file is None:
                self._refuse(found)
                continue
            self._copies.append(
                ExportedFile(
                    path=found.picture.path,
                    size=found.file.size,
                    sha256=found.file.sha256,
                    location=found.file.location,
                )
            )
            self._paths.add(found.picture.path)
            if len(self._copies) == _PAGE:
                self._keep()
            context.exported_count += 1
            yield found.picture
            if context.exported_count == options.limit:
                return

    def _taken(self, path: str) -> bool:
        return path in self._paths or self._context.use_manifest().has(path)

    def _refuse(self, found: Found) -> None:
        context = self._context
        context.failed_count += 1
        if context.failed_count <= _SHOWN:
            context.log("invalid", {"summary": found.problem}, found.unit)
            self._problems.append(found.problem)

    def _keep(self) -> None:
        self._context.use_manifest().add(self._copies)
        self._copies.clear()
        self._paths.clear()


def _catalogue_rows(rows: Rows) -> Iterator[tuple[Any, ...]]:
    from handrail_export.sources.catalogue import COLUMNS

    for batch in rows.batches():
        values = [batch.column(name).to_pylist() for name in COLUMNS]
        yield from zip(*values, strict=True)
