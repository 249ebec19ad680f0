"""Puts one file under its key, and looks again where somebody else was faster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from handrail_storage.backend import FOLDER
from handrail_storage.claims import Claim
from handrail_upload.comparison import Comparison
from handrail_upload.errors import ConflictError, FileChangedError, StorageError
from handrail_upload.manifest import NEW, REPLACE, REPLACED, SENT, SourceFile
from handrail_upload.pace import StoppedError
from handrail_upload.storage import Sending, Storage, Stored, TakenError
from handrail_upload.tolerance import Tolerance, left_out
from handrail_upload.uploader import DirectUploader, Uploader

_LOOKS = 5  # Times that a key is looked at before it counts as one that others write to.


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Decides for one key at a time what may be replaced, and keeps a copy of that.

    Attributes:
        storage: The target.
        claim: The claim of the run, under whose name copies are kept.
        comparison: Judges what others have stored.
        sending: The settings of the transfer.
        uploader: The strategy to store one file.
        tolerance: Decides for files that change, or that cannot be sent.
        copies: The keys under which the run has set something aside.
    """

    storage: Storage
    claim: Claim
    comparison: Comparison
    sending: Sending
    uploader: Uploader
    tolerance: Tolerance
    copies: set[str] = field(default_factory=set[str])

    def find_copies(self) -> None:
        """Look for what an earlier process of the run has set aside.

        Raises:
            StorageError: The storage failed or refused.
        """
        above = self.claim.aside("").removeprefix(f"{FOLDER}/")
        names = (name for name, _ in self.storage.small_files.names(above))
        self.copies.update(name.removeprefix(above) for name in names)

    def place(self, file: SourceFile) -> SourceFile:
        """Store a file under its key; return it in its new state, which may be `left-out`.

        Raises:
            ConflictError: Somebody else has stored something else meanwhile, or does all the time.
            SourceError: The file has changed, or cannot be read.
            StorageError: The storage failed or refused.
            StoppedError: The transfer was stopped.
        """
        return self.tolerance.settle(file, self._place, self._leave)

    def _place(self, file: SourceFile, as_it_is: bool) -> SourceFile:
        sending = replace(self.sending, as_it_is=True) if as_it_is else self.sending
        # A new file is usually absent, which putting it shows without a request of its own.
        there = self.storage.stat(file.key) if file.state == REPLACE else None
        for _ in range(_LOOKS):
            try:
                return self._put(file, there, sending)
            except TakenError:
                there = self.storage.stat(file.key)
            settled = None if there is None else self._settled(file, there)
            if settled is not None:
                return settled
        if there is None and self.storage.local:
            raise ConflictError(
                f"{file.key}: what is there for its folder is no folder (at {self.storage.url})",
                ways_out=("move it away, or give another target",),
            )
        raise self._conflict(file)

    def arrived(self, file: SourceFile, there: Stored) -> SourceFile | None:
        """Return a file that this run has stored completely, or None.

        Raises:
            SourceError: The file has changed, or cannot be read.
            StorageError: The storage failed or refused.
            StoppedError: The transfer was stopped.
        """
        # Content that a strategy has changed cannot be compared with the source.
        if there.mark != self.sending.mark or type(self.uploader) is not DirectUploader:
            return None
        try:
            same, sha256 = self.comparison.has_content(file, there)
        except FileChangedError:
            if self.tolerance.on_changed == "skip":
                return self._adopted(file, there)
            if self.tolerance.on_changed == "fail":
                raise
            return None  # It is sent as it is now.
        if self.sending.stop.is_set():
            raise StoppedError
        if not same:
            return None
        self.storage.adopt(file.key)
        return file.settled(self._state(file.key), sha256, there.etag, there.version, file.size)

    def _leave(self, file: SourceFile, why: str) -> SourceFile:
        """Return a file as left out; as stored if that happened before it changed."""
        try:
            there = self.storage.stat(file.key)
        except StorageError:
            there = None  # It has refused the key before.
        if there is not None and there.mark == self.sending.mark:
            return self._adopted(file, there)
        if file.key in self.copies:
            self._drop_copy(file.key)
        self.comparison.progress.add(file.size, 1)
        return left_out(file, why)

    def _adopted(self, file: SourceFile, there: Stored) -> SourceFile:
        """Return a file that this run has stored completely, which cannot be read again."""
        sha256 = self.storage.content_sha256(file.key)
        if there.sha256 not in (None, sha256):
            how = "what was sent of it is damaged, and it is not there to be sent again"
            raise FileChangedError(f"{file.name}: {how}", how=how)
        self.storage.adopt(file.key)
        return file.settled(self._state(file.key), sha256, there.etag, there.version, there.size)

    def _put(self, file: SourceFile, there: Stored | None, sending: Sending) -> SourceFile:
        self.claim.touch()
        if there is None:
            if file.key in self.copies:
                self._drop_copy(file.key)
        elif there.mark != sending.mark:
            self._set_aside(file.key)
        stored = self.uploader.send(self.storage, file, sending, there)
        self.comparison.progress.add(0, 1)
        # Of the stored object: a strategy may have compressed the content, for example.
        return file.settled(
            self._state(file.key), stored.sha256, stored.etag, stored.version, stored.size
        )

    def _state(self, key: str) -> str:
        """Return the state of a file that is stored."""
        return REPLACED if key in self.copies else SENT

    def _drop_copy(self, key: str) -> None:
        """Forget what is gone by somebody else's hand, so that no undo brings it back."""
        self.claim.drop_stale(key)
        self.copies.discard(key)

    def _set_aside(self, key: str) -> None:
        self.copies.add(key)
        try:
            self.storage.set_aside(key, self.claim.aside(key))
        except StorageError:
            if self.storage.stat(key) is not None:
                raise
            raise TakenError from None

    def _settled(self, file: SourceFile, there: Stored) -> SourceFile | None:
        """Return a file with nothing left to do; None if what is there may be replaced.

        Raises:
            ConflictError: It may not be replaced.
        """
        if there.mark == self.sending.mark:
            # A request of a process that was killed may arrive after it was looked for.
            judged = self.arrived(file, there)
        else:
            judged = self.comparison.judge(file, there)
        if judged is not None and judged.problem is not None:
            raise self._conflict(file)
        if judged is None or judged.state in (NEW, REPLACE):
            return None
        self.comparison.progress.add(0, 1)
        return judged

    def _conflict(self, file: SourceFile) -> ConflictError:
        return ConflictError(
            f"{file.key}: somebody else wrote there during the upload (at {self.storage.url})",
            ways_out=("upload it again once nobody else writes there",),
        )
