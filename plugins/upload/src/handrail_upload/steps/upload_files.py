"""upload_files: send the files, verify them, and undo that."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail import BaseStep, SourceChangedError, StepResult
from handrail_storage import count_text, size_text
from handrail_upload.context import UploadContext
from handrail_upload.errors import ConflictError, FileChangedError, SourceError

if TYPE_CHECKING:
    from handrail_storage.claims import Claim, HeldList
    from handrail_upload.manifest import Manifest
    from handrail_upload.recorded import RecordedTransfer
    from handrail_upload.transfer import Transfer
    from handrail_upload.uploader import Uploader

_SHOWN = 20  # Conflicts, and files that are left out, that are listed one by one.
_LARGEST = 10  # Files that are attached to the run.
_ATTACHED = {"left-out": 1000, "deleted": 1000, "replaced": 1000, "new": 100}  # By state.


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
        from handrail_storage.claims import HeldChangedError
        from handrail_upload.reading import going_on_without

        try:
            return self._send(context, result.rollback_data)
        except SourceError as error:
            changed = isinstance(error, FileChangedError)
            ways_out = going_on_without(context.run_name) if changed else ()
            raise SourceChangedError(error.message, ways_out=ways_out) from error
        except HeldChangedError as error:
            raise SourceChangedError(error.message, ways_out=error.ways_out) from error

    def restore(self, context: UploadContext, result: StepResult) -> None:
        from handrail_upload.manifest import ARRIVED
        from handrail_upload.manifest.views import files_in

        context.uploaded_files = files_in(Path(context.manifest_path), *ARRIVED)
        if not context.options.registers:  # The step that registers is skipped, and shows no units.
            context.show_units(Path(context.manifest_path))

    def _send(self, context: UploadContext, data: Mapping[str, Any]) -> StepResult:
        from handrail_upload.claiming import hold, holding_of
        from handrail_upload.deletion import delete_missing
        from handrail_upload.manifest import ARRIVED, CLAIMED
        from handrail_upload.manifest.views import files_in
        from handrail_upload.recorded import read_transfer
        from handrail_upload.transfer import Transfer

        context.needs("organize_files")
        began = time.monotonic()
        earlier = read_transfer(data, context.site)
        earlier.notes.check()
        manifest = context.use_manifest()
        if context.options.delete_missing and not earlier.claim:
            _find_missing(context)
        if not (earlier.claim or manifest.count(*CLAIMED) or manifest.count_missing()):
            context.uploaded_files = files_in(manifest, *ARRIVED)
            return _result(manifest, (0, 0), 0.0)
        claim = self._claim(context, earlier)
        for each in holding_of(context) if claim.holds else ():
            each.look()  # The process was killed just after it had held: others may have come.
        context.use_files_cache(make=False)
        context.opened.transfer = transfer = Transfer(context, claim=claim, uploader=self.upload)
        if earlier.claim:
            transfer.take_up()
        _refuse_conflicts(context, transfer)
        before = manifest.totals(*ARRIVED)
        transfer.send()
        if not claim.holds:
            delete_missing(context, claim)
        manifest.keep()
        hold(context, claim)
        context.use_files_cache()
        transfer.remember()
        context.uploaded_files = files_in(manifest, *ARRIVED)
        _tell_left_out(context, manifest)
        _attach_files(context, manifest)
        return _result(manifest, before, time.monotonic() - began)

    def _claim(self, context: UploadContext, earlier: RecordedTransfer) -> Claim:
        from handrail_upload.claiming import ask
        from handrail_upload.site import claim_name

        name = claim_name(context.run, context.current_step or self.name)
        if not earlier.claim:
            context.record_rollback("claim", name)
            context.record_rollback("target", context.use_storage().address)
            if context.options.registers:
                rows = {"url": context.catalogue_address, "run": context.run}
                context.record_rollback("rows", rows)
        context.opened.claims[name] = claim = ask(context, earlier, name)
        return claim

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        # A second interrupt may have cut the waiting for the workers short.
        from handrail_upload.recorded import read_transfer

        if context.opened.transfer is not None:
            context.opened.transfer.stop()
        recorded = read_transfer(result.rollback_data, context.site)
        if recorded.claim:
            _take_rows_back(context, recorded, result)
            summary = self._undo(context, recorded)
        else:
            summary = _without_claim(recorded, "was")
        # Another attempt, as by RetryStep, has to start again: the sent files were deleted.
        context.storage = None
        if context.manifest is not None:
            context.manifest.reopen_files()
        context.log("undone", {"summary": summary})
        recorded.notes.check()

    def _undo(self, context: UploadContext, recorded: RecordedTransfer) -> str:
        from handrail_storage.claims import undo_claimed
        from handrail_upload.undo import torn_in

        storage, manifest = context.open_target(recorded.target), _manifest_of(context, recorded)
        # Without a transfer, it was that of another process, which may have been killed.
        killed = context.opened.transfer is None
        summary = undo_claimed(
            context.begin_undo(recorded),
            storage,
            recorded.claim,
            claimed=recorded.claimed,
            made=_made(context, manifest),
            killed=killed,
            torn=torn_in(manifest, storage, context.options.part_size) if killed else None,
            leave=lambda keys: storage.leave_folders(
                (f"{each}/" for each in (*keys, *recorded.folders) if each), recorded.folders
            ),
            progress=partial(context.set_progress, category="objects"),
        )
        context.opened.undoings.pop(recorded.claim, None)
        return summary

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        from handrail_upload.claiming import claims_to_look_at
        from handrail_upload.recorded import read_transfer
        from handrail_upload.undo import describe_undo

        recorded = read_transfer(result.rollback_data, context.site)
        if recorded.claim:
            claims = claims_to_look_at(context, recorded)
            yield from describe_undo(claims, _manifest_of(context, recorded))
        elif not recorded.notes.refusals:
            yield _without_claim(recorded, "is")
        yield from recorded.notes.refusals

    def preview(self, context: UploadContext) -> Iterator[str]:
        from handrail_upload.manifest import LEFT_OUT, NEW, REPLACE, SKIPPED, UNCHANGED
        from handrail_upload.transfer import Transfer

        context.needs("organize_files")
        manifest = context.use_manifest()
        context.use_files_cache(make=False)
        transfer = Transfer(context)
        conflicts = list(transfer.compare())
        for conflict in conflicts:
            yield f"{'conflict':9}  {conflict.key}  {conflict.problem}"
        deleting = ""
        if context.options.delete_missing and not conflicts:
            yield from _would_delete(context)
            deleting = f", {manifest.count_missing():,} to delete"
        for file in manifest.files(LEFT_OUT):
            yield f"{'left out':9}  {file.key}  {file.problem}"
        # What people look for comes first: of many lines, a dry run shows the first and the last.
        would_be = {"replace": REPLACE, "new": NEW, "skipped": SKIPPED, "unchanged": UNCHANGED}
        for word, state in would_be.items():
            for file in manifest.files(state):
                yield f"{word:9}  {file.key}  {size_text(file.size)}"
        if conflicts:
            first = f"{conflicts[0].key}: {conflicts[0].problem}"
            raise _conflict(transfer, first, len(conflicts))
        count, size = manifest.totals(NEW, REPLACE)
        yield f"{count_text(count, 'file')} to send, {size_text(size)}{deleting}"
        yield from _obstacle(context)


def _take_rows_back(context: UploadContext, recorded: RecordedTransfer, result: StepResult) -> None:
    """Let what is registered describe what will be there, if the run did not come to register.

    Rows of others may have passed on to it; and what it has put may hide what others registered.
    """
    from handrail_upload.recorded import read_rows
    from handrail_upload.undo import take_rows_back

    others = (each.rollback_data for each in context.results.values() if each is not result)
    if any("rows" in data and "claim" not in data for data in others):
        return  # The undo of the step that registers has done that.
    undoing = context.begin_undo(recorded)
    if undoing is not None and undoing.may_be_registered:
        catalogues, _, notes = read_rows(result.rollback_data, context.site)
        for each in catalogues:
            take_rows_back(each, undoing, context.set_status)
        notes.check()


def _find_missing(context: UploadContext) -> None:
    """Note what to delete, and tell what stays."""
    from handrail_upload.deletion import find_missing, staying_lines

    for line in staying_lines(find_missing(context)):
        context.log("stays", {"summary": line})


def _would_delete(context: UploadContext) -> Iterator[str]:
    from handrail_upload.deletion import find_missing, staying_lines

    manifest = context.use_manifest()
    try:
        staying = find_missing(context, touches=False)
    finally:
        # A dry run executes no cleanup, and nothing asks the catalogue any more.
        if context.opened.catalogue is not None:
            context.opened.catalogue.close()
    for page in manifest.missing():
        yield from (f"{'delete':9}  {key}  {size_text(size)}" for key, size in page)
    yield from staying_lines(staying)


def _refuse_conflicts(context: UploadContext, transfer: Transfer) -> None:
    conflicts = ((each.key, str(each.problem)) for each in transfer.compare())
    count, first = _tell(context, "conflict", conflicts)
    if count:
        raise _conflict(transfer, first, count)


def _conflict(transfer: Transfer, first: str, count: int) -> ConflictError:
    more = f", and {count - 1:,} more" if count > 1 else ""
    return ConflictError(
        f"{count_text(count, 'file')} cannot be stored at {transfer.storage.url}: {first}{more}",
        ways_out=("keep what is there: --if-exists skip", "replace it: --if-exists overwrite"),
    )


def _without_claim(recorded: RecordedTransfer, verb: str) -> str:
    if not recorded.target:
        return "nothing had been stored"
    return f"the run has no claim at {recorded.target}, so nothing there {verb} deleted"


def _manifest_of(context: UploadContext, recorded: RecordedTransfer) -> Path:
    return context.site().manifest_of(recorded.run)


def _made(context: UploadContext, manifest: Path) -> HeldList | None:
    from handrail_storage.claims import HeldList
    from handrail_upload.manifest import ARRIVED
    from handrail_upload.undo import made_in

    if context.manifest is None:
        return made_in(manifest)
    return HeldList(partial(context.manifest.held_lines, *ARRIVED))


def _obstacle(context: UploadContext) -> Iterator[str]:
    """Yield which other run is in the way now."""
    from handrail_upload.claiming import claims_of
    from handrail_upload.manifest import CLAIMED

    manifest = context.use_manifest()
    pages = chain(manifest.keys(*CLAIMED), ([key for key, _ in e] for e in manifest.missing()))
    obstacle = claims_of(context, context.run, touches=False).obstacle(chain.from_iterable(pages))
    if obstacle is None:
        return
    if not context.options.claim_wait:
        raise obstacle
    yield f"it would wait up to {context.options.claim_wait}: {obstacle.message}"


def _tell_left_out(context: UploadContext, manifest: Manifest) -> None:
    """Report the files without which the run goes on; note the units that lack one of them."""
    from handrail_upload.manifest import INCOMPLETE, LEFT_OUT

    files = ((file.key, str(file.problem)) for file in manifest.files(LEFT_OUT))
    _tell(context, "left_out", files)
    manifest.forget_notes(INCOMPLETE)
    if context.specification is not None and manifest.count(LEFT_OUT):
        _tell(context, "incomplete_unit", _incomplete(manifest, context.specification.required))


def _incomplete(manifest: Manifest, required: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Note the units that have lost a required file; yield the name of each, with the reason."""
    from handrail_upload.manifest import INCOMPLETE

    for unit, missing in manifest.incomplete_units(required):
        why = f"it is not registered, as it has lost its {' and its '.join(missing)}"
        manifest.note(INCOMPLETE, unit, why)
        yield unit, why


def _tell(
    context: UploadContext, event: str, reasons: Iterable[tuple[str, str]]
) -> tuple[int, str]:
    """Log the reason for each file, up to a number of them; return their number and the first."""
    count, first = 0, ""
    for name, why in reasons:
        count += 1
        first = first or f"{name}: {why}"
        if count <= _SHOWN:
            context.log(event, {"summary": why}, name)
    if count > _SHOWN:
        context.log(event, {"summary": f"and {count - _SHOWN:,} more"})
    return count, first


def _attach_files(context: UploadContext, manifest: Manifest) -> None:
    """Attach how many files came to what, which ones, and the largest of those that were sent."""
    from handrail.attachments import Table
    from handrail_upload.manifest import ARRIVED

    totals = manifest.outcome_totals()
    rows = [(word, *counts) for word, counts in totals.items()]
    context.attach("files", Table(("state", "files", "bytes"), rows))
    for word, most in _ATTACHED.items():
        if word not in totals:
            continue
        columns = ("file", "bytes", "why")[: 3 if word == "left-out" else 2]
        found = islice(manifest.outcomes(word), most)
        some = ((each.key, each.size, each.why)[: len(columns)] for each in found)
        context.attach(f"{word} files", Table(columns, some, totals[word][0]))
    largest = manifest.largest(_LARGEST, *ARRIVED)
    if largest:
        total = manifest.count(*ARRIVED)
        context.attach("largest files", Table(("file", "bytes"), largest, total))


def _result(manifest: Manifest, before: tuple[int, int], took: float) -> StepResult:
    from handrail_upload.manifest import ARRIVED, LEFT_OUT, REPLACED, SENT, SKIPPED, UNCHANGED

    outcomes = {"new": SENT, "replaced": REPLACED, "unchanged": UNCHANGED, "skipped": SKIPPED}
    outcomes["left_out"] = LEFT_OUT
    counts = {word: manifest.count(state) for word, state in outcomes.items()}
    counts["deleted"] = manifest.count_deleted()
    size = manifest.totals(*ARRIVED)[1] - before[1]
    rate = f" ({size_text(size / took)}/s)" if took > 0 and size else ""
    had = f", {before[0]:,} had arrived before" if before[0] else ""
    summary = f"{outcome_text(counts)}{had} · {size_text(size)}{rate}"
    return StepResult(data={"summary": summary, **counts, "bytes": size, "seconds": round(took, 3)})


def outcome_text(counts: Mapping[str, int]) -> str:
    """Return `406 new, 12 unchanged`; zero counts are left out, except for new files."""
    shown = (f"{n:,} {word}" for word, n in counts.items() if n or word == "new")
    return ", ".join(shown).replace("_", " ")
