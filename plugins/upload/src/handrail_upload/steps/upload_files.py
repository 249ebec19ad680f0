"""upload_files: send the files, verify them, and undo that."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handrail import BaseStep, SourceChangedError, StepResult
from handrail_storage import count_text, size_text
from handrail_upload.context import UploadContext
from handrail_upload.errors import ConflictError, SourceError
from handrail_upload.manifest import INVALID, NEW, REPLACE, SENT, SKIPPED, UNCHANGED, Manifest
from handrail_upload.manifest.views import files_in
from handrail_upload.recorded import RecordedTransfer, read_transfer
from handrail_upload.transfer import Transfer
from handrail_upload.undo import TransferUndo, describe_undo
from handrail_upload.uploader import Uploader

_SHOWN = 20  # Conflicts that are listed one by one.
_LISTED = 1000  # Files of each kind that a dry run lists.
_WOULD_BE = (("new", NEW), ("replace", REPLACE), ("unchanged", UNCHANGED), ("skipped", SKIPPED))


class UploadFilesStep(BaseStep[UploadContext]):
    """Send the files that are new, and check each against what the storage reports.

    Args:
        upload: The strategy to store one file; unchanged content unless given.
    """

    name = "upload_files"
    progress_weight = 0.30

    def __init__(self, upload: Uploader | None = None) -> None:
        self.upload = upload

    def execute(self, context: UploadContext) -> StepResult:
        return self._send(context, {})

    def resume(self, context: UploadContext, result: StepResult) -> StepResult:
        """Send the missing files; recorded ones that may have arrived are checked."""
        try:
            return self._send(context, result.rollback_data)
        except SourceError as error:
            raise SourceChangedError(error.message) from error

    def restore(self, context: UploadContext, result: StepResult) -> None:
        context.uploaded_files = files_in(Path(context.manifest_path), SENT)

    def _send(self, context: UploadContext, data: Mapping[str, Any]) -> StepResult:
        began = time.monotonic()
        earlier = read_transfer(data, context.site)
        earlier.notes.check()
        manifest, transfer = context.use_manifest(), self._transfer(context)
        if not earlier.target:
            context.record_rollback("target", transfer.storage.address)
        if not earlier.mark:
            context.record_rollback("mark", context.mark)
        if earlier.keys:
            transfer.take_up(earlier)
        _refuse_conflicts(context, transfer)
        before, _ = manifest.totals(SENT)
        _, size = manifest.totals(NEW, REPLACE)
        replaced = _replaced(manifest, earlier)
        transfer.send()
        manifest.keep()
        context.uploaded_files = files_in(manifest, SENT)
        return _result(manifest, replaced, before, size, time.monotonic() - began)

    def _transfer(self, context: UploadContext) -> Transfer:
        context.opened.transfer = transfer = Transfer(
            context.use_storage(),
            context.use_manifest(),
            context.options,
            mark=context.mark,
            check=context.site().key,
            record_many=context.record_rollback_many,
            report=context.set_progress,
            uploader=self.upload,
        )
        return transfer

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        # A second interrupt may have cut the waiting for the workers short.
        if context.opened.transfer is not None:
            context.opened.transfer.stop()
        # Without a transfer, it was that of another process, which may have been killed.
        recorded = read_transfer(result.rollback_data, context.site)
        undone = TransferUndo(recorded).run(
            retries=context.options.retries, killed=context.opened.transfer is None
        )
        # Another attempt, as by RetryStep, has to start again: the sent files were deleted.
        context.storage = None
        if context.manifest is not None:
            context.manifest.reopen_files()
        context.log("undone", {"summary": undone.summary()})
        recorded.notes.check()

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        recorded = read_transfer(result.rollback_data, context.site)
        manifest = context.site().manifest_of(recorded.run)
        yield from describe_undo(recorded, manifest, certain="new" in result.data)

    def preview(self, context: UploadContext) -> Iterator[str]:
        manifest = context.use_manifest()
        transfer = Transfer(
            context.use_storage(),
            manifest,
            context.options,
            mark=context.mark,
            uploader=self.upload,
        )
        conflicts = list(transfer.compare())
        for word, state in _WOULD_BE:
            for number, file in enumerate(manifest.files(state)):
                if number == _LISTED:
                    yield f"... and {manifest.count(state) - _LISTED:,} more that are {word}"
                    break
                yield f"{word:9}  {file.key}  {size_text(file.size)}"
        for conflict in conflicts[:_LISTED]:
            yield f"{'conflict':9}  {conflict.file.key}  {conflict.why}"
        count, size = manifest.totals(NEW, REPLACE)
        invalid = manifest.count(INVALID) if context.options.on_invalid == "fail" else 0
        if invalid:
            yield f"{count_text(invalid, 'invalid file')}: nothing would be sent"
        elif conflicts:
            yield f"{count_text(len(conflicts), 'conflict')}: nothing would be sent"
        else:
            yield f"{count_text(count, 'file')} to send, {size_text(size)}"


def _refuse_conflicts(context: UploadContext, transfer: Transfer) -> None:
    count = 0
    first = ""
    for conflict in transfer.compare():
        count += 1
        first = first or f"{conflict.file.key}: {conflict.why}"
        if count <= _SHOWN:
            context.log("conflict", {"summary": conflict.why}, conflict.file.key)
    if count:
        more = f", and {count - 1:,} more" if count > 1 else ""
        files = count_text(count, "file")
        raise ConflictError(
            f"{files} cannot be stored at {transfer.storage.url}: {first}{more}",
            ways_out=(
                "keep what is there: --if-exists skip",
                "replace it: --if-exists overwrite",
            ),
        )


def _replaced(manifest: Manifest, earlier: RecordedTransfer) -> int:
    """Return the number of files that replace something, including those of an earlier process."""
    left = [file.key for file in manifest.files(REPLACE)]
    return len(earlier.asides.keys() | left) if earlier.asides else len(left)


def _result(manifest: Manifest, replaced: int, before: int, size: int, took: float) -> StepResult:
    sent, unchanged, skipped = (manifest.count(each) for each in (SENT, UNCHANGED, SKIPPED))
    counts = {
        "new": sent - replaced,
        "replaced": replaced,
        "unchanged": unchanged,
        "skipped": skipped,
    }
    rate = f" ({size_text(size / took)}/s)" if took > 0 and size else ""
    had = f", {before:,} had arrived before" if before else ""
    summary = f"{outcome_text(counts)}{had} · {size_text(size)}{rate}"
    return StepResult(data={"summary": summary, **counts, "bytes": size, "seconds": round(took, 3)})


def outcome_text(counts: Mapping[str, int]) -> str:
    """Return `406 new, 12 unchanged`; zero counts are left out, except for new files."""
    return ", ".join(f"{n:,} {word}" for word, n in counts.items() if n or word == "new")
