"""Sends the files of a manifest, and records what their undo needs before each effect."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from handrail_storage import pages
from handrail_upload.comparison import Comparison
from handrail_upload.made import Made
from handrail_upload.manifest import (
    ARRIVED,
    LEFT_OUT,
    NEW,
    REPLACE,
    SETTLED,
    STORED,
    UNSETTLED,
    SourceFile,
)
from handrail_upload.pace import Budget, Pace
from handrail_upload.placing import Placing
from handrail_upload.progress import Progress
from handrail_upload.reading import CHANGES, as_it_is_now
from handrail_upload.storage import Sending
from handrail_upload.tolerance import Tolerance
from handrail_upload.uploader import DirectUploader, Uploader

if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail_storage.claims import Claim
    from handrail_upload.context import UploadContext

_MEMORY = 64 << 20  # Limit of bytes in memory, for all workers together.
_PAGE = 1000  # Files in doubt that are looked up at a time.
_LOOKERS = 4  # Of these, the number that are looked at at a time.


class Transfer:
    """One transfer of the files of a manifest to a storage.

    Args:
        context: The context of the run.
        claim: The claim of the run on the keys of the files; None to compare only.
        uploader: The strategy to store one file.
    """

    def __init__(
        self,
        context: UploadContext,
        *,
        claim: Claim | None = None,
        uploader: Uploader | None = None,
    ) -> None:
        self.storage = storage = context.use_storage()
        self.manifest = manifest = context.use_manifest()
        options, source = context.options, context.use_source()
        self._record_many = context.record_rollback_many
        self._workers = options.transfers
        self._pool: ThreadPoolExecutor | None = None
        files, size = manifest.totals(*UNSETTLED, *SETTLED)
        report = _nothing if claim is None else context.set_progress
        self._progress = Progress(files, size, report, done=manifest.totals(*SETTLED))
        stop = threading.Event()
        self._sending = Sending(
            mark="" if claim is None else claim.mark(context.current_step or "upload_files"),
            part_size=options.part_size,
            part_concurrency=options.part_concurrency,
            stop=stop,
            pace=Pace(options.bandwidth, stop),
            budget=Budget(_MEMORY, stop),
            on_bytes=self._progress.add,
            alive=_nothing if claim is None else claim.touch,
            source=source,
        )
        # For small files they cost more than they bring; large ones have their own.
        self._threads = not storage.local or self._sending.threads
        # What another strategy stores need not be what it reads.
        self._direct = uploader is None or type(uploader) is DirectUploader
        checked = context.results.get("validate_files")
        failed = 0 if checked is None else int(checked.data.get("failed", 0))
        failed += sum(each.problem not in CHANGES for each in manifest.files(LEFT_OUT))
        now_of = as_it_is_now if source is None else source.as_it_is_now
        tolerance = Tolerance(options, manifest.count(), failed, now_of)
        self._comparison = Comparison(
            storage=storage,
            if_exists=options.if_exists,
            compare=options.compare,
            sending=self._sending,
            progress=self._progress,
            tolerance=tolerance,
            trusting=self._direct
            and not options.checksum
            and options.if_exists in ("same", "overwrite"),
        )
        self._placing: Placing | None = None
        if claim is not None:
            self._placing = Placing(
                storage=storage,
                claim=claim,
                comparison=self._comparison,
                sending=self._sending,
                uploader=uploader or DirectUploader(),
                tolerance=tolerance,
            )

    def compare(self) -> Iterator[SourceFile]:
        """Decide for each file whether to send it; see `Comparison.run`."""
        return self._comparison.run(self.manifest)

    def take_up(self) -> None:
        """Continue after a killed process: find the files that had arrived.

        These count as sent; `send` sends the others again. Objects of others are not touched.

        Raises:
            StorageError: The storage failed or refused.
            SourceError: A file that had arrived has changed since, or cannot be read.
        """
        self._use_placing().find_copies()
        part_size = self._sending.part_size
        torn = (
            each.key
            for each in self.manifest.files(*UNSETTLED)
            if each.state == REPLACE or self.storage.may_leave_parts(each.size, part_size)
        )
        self.storage.abort_unfinished(torn, self._sending.run)
        lookers = ThreadPoolExecutor(_LOOKERS if self._threads else 1)
        with Made(self.storage, self.manifest) as made, lookers as pool:
            try:
                for files in pages(self.manifest.files(*UNSETTLED), _PAGE):
                    there = self.storage.look_up([each.key for each in files])
                    doubtful = [each for each in files if each.key in there]
                    for sent in pool.map(self._arrived, doubtful):
                        if sent is not None:
                            made.add(sent)
            except BaseException:
                self._sending.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            made.settle()

    def _arrived(self, file: SourceFile) -> SourceFile | None:
        there = self.storage.stat(file.key)
        sent = None if there is None else self._use_placing().arrived(file, there)
        if sent is not None:
            self._progress.add(file.size, 1)
        return sent

    def stop(self) -> None:
        """Stop the workers, and wait for the last one. Calling it twice is harmless."""
        self._sending.stop.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def send(self) -> None:
        """Send new files and replacements. All workers are finished when this returns or raises.

        Raises:
            ClaimLostError: Another process has taken the claim over.
            ConflictError: Another object was stored meanwhile.
            StorageError: The storage failed or refused.
            SourceError: A file has changed, or cannot be read.
        """
        place, files = self._use_placing().place, self._recorded()
        if self._threads:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="handrail-upload")
            stored = _as_they_end(self._pool, place, files, 2 * self._workers)
        else:
            stored = map(place, files)
        with Made(self.storage, self.manifest) as made:
            try:
                for file in stored:
                    made.add(file)
                made.settle()
            finally:
                self.stop()
        for keys in self.manifest.keys(LEFT_OUT):
            self.storage.leave_folders(keys)
        self._progress.finish()

    def remember(self) -> None:
        """Keep how the files are that were sent or found equal, so that they are not read again."""
        searched = self.manifest.description().get("searched")
        if self._direct and searched is not None:
            # Those that only have equal sizes may differ.
            states = STORED if self._comparison.compare == "checksum" else ARRIVED
            if self.manifest.count(*states) > self.manifest.from_cache:
                self.manifest.remember(*states, before=searched)

    def _recorded(self) -> Iterator[SourceFile]:
        """Yield the files to send, once it is recorded what the claim does not tell of them."""
        for files in pages(self.manifest.files(NEW, REPLACE), self.storage.batch):
            folders = self.storage.missing_folders(each.key for each in files)
            if folders:
                self._record_many("folders", folders)
            yield from files

    def _use_placing(self) -> Placing:
        if self._placing is None:
            raise RuntimeError("nothing is sent without a claim")
        return self._placing


def _as_they_end(
    pool: ThreadPoolExecutor,
    place: Callable[[SourceFile], SourceFile],
    files: Iterable[SourceFile],
    most: int,
) -> Iterator[SourceFile]:
    """Place files in threads, up to `most` at a time; yield each once it is placed."""
    # Not by `wait`, which takes all that are under way in its hands for each that ends.
    ended = SimpleQueue[Future[SourceFile]]()
    under_way = 0
    for file in files:
        if under_way == most:
            yield ended.get().result()
            under_way -= 1
        pool.submit(place, file).add_done_callback(ended.put)
        under_way += 1
    for _ in range(under_way):
        yield ended.get().result()


def _nothing(*_: object) -> None:
    """Do nothing."""
