"""Sends the files of a manifest, and records rollback data before each effect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from handrail_storage import pages
from handrail_storage.containment import below
from handrail_upload.comparison import Comparison, Conflict
from handrail_upload.errors import ConflictError, StorageError
from handrail_upload.made import SOON, Made, RecordMany, Sent
from handrail_upload.manifest import NEW, REPLACE, SENT, SETTLED, UNSETTLED, Manifest, SourceFile
from handrail_upload.pace import Budget, Pace, StoppedError
from handrail_upload.params import UploadParams
from handrail_upload.progress import Progress, Report
from handrail_upload.recorded import RecordedTransfer
from handrail_upload.storage import Owner, Sending, Storage, Stored, TakenError
from handrail_upload.uploader import DirectUploader, Uploader

_MEMORY = 64 << 20  # Limit of bytes in memory, for all workers together.
_LOOKERS = 4  # Files that were in doubt and are looked at, at a time.


class Transfer:
    """One transfer of the files of a manifest to a storage.

    Args:
        storage: The target.
        manifest: The files.
        options: The params.
        mark: The mark of the objects: `<run>/<step>`.
        check: Raises a ValueError with the reason if a key must not be used, since no undo would
            delete it again.
        record_many: Records rollback data before each effect; see `context.record_rollback_many`.
        report: Called with `(current, total, category)`, for `bytes` and `files`.
        uploader: The strategy to store one file.
    """

    def __init__(
        self,
        storage: Storage,
        manifest: Manifest,
        options: UploadParams,
        *,
        mark: str,
        check: Callable[[str], object] = below,
        record_many: RecordMany = lambda key, values: None,
        report: Report = lambda current, total, category: None,
        uploader: Uploader | None = None,
    ) -> None:
        self.storage = storage
        self.manifest = manifest
        self._check = check
        self._record_many = record_many
        self._uploader: Uploader = DirectUploader() if uploader is None else uploader
        self._workers = options.concurrency
        self._pool: ThreadPoolExecutor | None = None
        self._options = options
        self._plain = uploader is None or type(uploader) is DirectUploader
        self._identities: Mapping[str, tuple[int, ...]] = {}
        self._known: set[str] = set()
        self._replacing: dict[str, Stored | None] = {}
        files, size = manifest.totals(*UNSETTLED, *SETTLED)
        self._progress = Progress(files, size, report, done=manifest.totals(*SETTLED))
        stop = threading.Event()
        self._sending = Sending(
            mark=mark,
            part_size=options.part_size,
            part_concurrency=options.part_concurrency,
            stop=stop,
            pace=Pace(options.bandwidth, stop),
            budget=Budget(_MEMORY, stop),
            on_bytes=self._progress.add,
        )
        self._comparison = Comparison(
            storage=storage,
            if_exists=options.if_exists,
            compare=options.compare,
            sending=self._sending,
            progress=self._progress,
        )

    def compare(self) -> Iterator[Conflict]:
        """Decide for each file whether to send it; see `Comparison.run`."""
        return self._comparison.run(self.manifest)

    def take_up(self, earlier: RecordedTransfer) -> None:
        """Continue after a killed process: find the files that had arrived.

        Files that had arrived completely count as sent; incomplete ones are deleted, and `send`
        sends them again. Objects of others are not touched.

        Args:
            earlier: The rollback data of that process.

        Raises:
            StorageError: The storage failed or refused.
            SourceError: A file that had arrived has changed since, or cannot be read.
        """
        self._identities, self._known = earlier.identities, set(earlier.keys)
        made = Made(self.storage, self.manifest, self._record_many, self._sending.run)
        self.storage.abort_unfinished(earlier.parts, self._sending.run)
        doubtful = (f for f in self.manifest.files(*UNSETTLED) if f.key in self._known)
        with ThreadPoolExecutor(_LOOKERS if self.storage.threads else 1) as pool:
            try:
                for files in pages(doubtful, self.storage.batch):
                    for sent in pool.map(self._settled, files):
                        if sent is not None:
                            made.add(sent)
            except BaseException:
                self._sending.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        made.settle()

    def _settled(self, file: SourceFile) -> Sent | None:
        """Return a file that had arrived; otherwise delete its object, if it is ours."""
        sent = self._arrived(file)
        if sent is not None:
            self._progress.end(file)
        elif self._owner(file.key) == "ours":
            self.storage.delete([file.key])
        return sent

    def _owner(self, key: str) -> Owner:
        return self.storage.owner(key, self._sending.mark, self._identities.get(key))

    def _arrived(self, file: SourceFile) -> Sent | None:
        """Return a file that this run has stored completely, or None."""
        # Content changed by a strategy cannot be compared with the source.
        there = self.storage.stat(file.key) if self._plain else None
        if there is None or self._owner(file.key) != "ours":
            return None
        digest = self.storage.digest_for(file.size, self._options.part_size)
        self._sending.reading(file, digest, counted=False).through(self._sending.stop)
        if self._sending.stop.is_set():
            raise StoppedError
        if not self.storage.equals(there, digest, file):
            return None
        self.storage.adopt(file.key)
        sent = replace(file, state=SENT, sha256=digest.sha256, etag=there.etag)
        return Sent(file=sent, identity=there.identity)

    def stop(self) -> None:
        """Stop the workers, and wait for the last one. Calling it twice is harmless."""
        self._sending.stop.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def send(self) -> None:
        """Send new files and replacements. All workers are finished when this returns or raises.

        Raises:
            ConflictError: Another object was stored meanwhile.
            StorageError: The storage failed or refused.
            SourceError: A file has changed, or cannot be read.
        """
        if self.storage.threads:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="handrail-upload")
        under_way: set[Future[Sent]] = set()
        made = Made(self.storage, self.manifest, self._record_many, self._sending.run)
        try:
            for files in pages(self.manifest.files(NEW, REPLACE), self.storage.batch):
                self._record(files)
                for file in files:
                    if self._pool is None:
                        made.add(self._send_one(file))
                        continue
                    under_way.add(self._pool.submit(self._send_one, file))
                    if len(under_way) >= 2 * self._workers:
                        under_way = self._collect(under_way, made)
            while under_way:
                under_way = self._collect(under_way, made)
            made.settle()
        finally:
            self.stop()
        self._progress.finish()

    def _record(self, files: list[SourceFile]) -> None:
        """Record the objects to be created, and set aside those to be replaced."""
        storage, run = self.storage, self._sending.run
        for each in files:
            try:
                self._check(each.key)
            except ValueError as error:
                raise StorageError(
                    f"{each.key} cannot be stored: {error} (at {storage.url})",
                    ways_out=("leave it out: --exclude PATTERN",),
                ) from error
        folders = storage.missing_folders(each.key for each in files)
        if folders:
            self._record_many("folders", folders)
        # First look, then keep: the put refuses changes between the two.
        there = {each.key: storage.stat(each.key) for each in files if each.state == REPLACE}
        self._replacing.update(there)
        # An object deleted by now is not replaced; the undo is that of a new one.
        asides = {key: storage.aside_name(key, run) for key, old in there.items() if old}
        if asides:
            pairs = [{"key": key, "name": name} for key, name in asides.items()]
            self._record_many("asides", pairs)
        keys = [each.key for each in files if each.key not in self._known]
        if keys:
            self._record_many("keys", keys)
        part_size = self._options.part_size
        parts = [f.key for f in files if storage.in_parts(f.size, part_size)]
        if parts:
            self._record_many("parts", parts)
        for key, name in asides.items():
            # After an earlier attempt, the object may be ours already.
            if storage.owner(key, self._sending.mark, None) == "foreign":
                storage.set_aside(key, name)

    def _send_one(self, file: SourceFile) -> Sent:
        replacing = self._replacing.pop(file.key, None)
        try:
            stored = self._uploader.send(self.storage, file, self._sending, replacing)
        except TakenError:
            return self._taken(file)
        self._progress.end(file, counted=True)
        # Of the stored object: a strategy may have compressed the content, for example.
        size, sha256, etag = stored.size, stored.sha256, stored.etag
        sent = replace(file, state=SENT, size=size, sha256=sha256, etag=etag)
        return Sent(file=sent, identity=stored.identity)

    def _taken(self, file: SourceFile) -> Sent:
        """Decide about a file whose key was taken after the comparison."""
        # A request of a process that was killed may arrive after it was looked for.
        arrived = self._arrived(file)
        if arrived is not None:
            self._progress.end(file)
            return arrived
        there = self.storage.stat(file.key)
        judged = self._comparison.judge(file, there)
        if isinstance(judged, SourceFile) and judged.state not in (NEW, REPLACE):
            self._progress.end(file, counted=True)
            return Sent(file=judged)
        raise ConflictError(
            f"{file.key}: somebody else wrote there during the upload (at {self.storage.url})",
            ways_out=("upload it again once nobody else writes there",),
        )

    def _collect(self, under_way: set[Future[Sent]], made: Made) -> set[Future[Sent]]:
        done, rest = wait(under_way, timeout=SOON, return_when=FIRST_COMPLETED)
        failed: BaseException | None = None
        for future in done:
            error = future.exception()
            if error is None:
                made.add(future.result())
            else:
                failed = failed or error
        if failed is not None:
            raise failed
        return rest
