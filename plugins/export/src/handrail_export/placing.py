"""Puts one file under its key at the target, and looks again where somebody else was faster."""

from __future__ import annotations

from pathlib import Path

from handrail.frozen import frozen, replace
from handrail_export.errors import ConflictError
from handrail_export.manifest import ExportedFile
from handrail_storage import Store, Stored, TakenError, count_text
from handrail_storage.claims import Claim

_LOOKS = 5  # Times that a key is looked at before it counts as one that others write to.


@frozen
class Placing:
    """Decides for one key at a time what may be replaced, and keeps a copy of that.

    Attributes:
        target: The target.
        claim: The claim of the run, under whose name copies are kept.
        mark: The mark of the objects of the run.
        overwrite: Whether existing files may be replaced.
        resumed: Whether an earlier process may have kept copies.
    """

    target: Store
    claim: Claim
    mark: str
    overwrite: bool
    resumed: bool

    def settled(self, file: ExportedFile, there: Stored | None) -> ExportedFile | None:
        """Return a file as it is at the target, if that is equal, or None.

        Args:
            file: The file.
            there: What is under its key.

        Raises:
            StorageError: The storage failed or refused.
        """
        if there is None or there.size != file.size:
            return None
        made = there.mark == self.mark
        # Of a picture whose checksum is not known, only a copy of this run is known to be equal.
        if not (file.sha256 or made):
            return None
        digest = self.target.digest(there)
        if file.sha256 not in ("", digest):
            return None
        return replace(file, sha256=digest, etag=there.etag, made=made)

    def place(
        self, file: ExportedFile, content: bytes | Path, there: Stored | None
    ) -> ExportedFile:
        """Store a file under its key, unless it is there; return it as it is at the target.

        Args:
            file: The file, with its checksum.
            content: Its content, or a complete file that is flushed to its disk.
            there: What is under its key, as far as known.

        Raises:
            ConflictError: Something else is there that must not be replaced, or others write there
                all the time.
            ClaimLostError: The claim of the run is somebody else's.
            StorageError: The storage failed or refused.
        """
        for look in range(_LOOKS):
            settled = self.settled(file, there)
            if settled is not None:
                return settled
            try:
                stored = self._put(file, content, there, again=look > 0)
            except TakenError:
                there = self.target.stat(file.path)
            else:
                return replace(file, etag=stored.etag, made=True)
        raise ConflictError(
            f"{file.path}: somebody else wrote there meanwhile (at {self.target.url})",
            ways_out=("export it again once nobody else writes there",),
        )

    def _put(
        self, file: ExportedFile, content: bytes | Path, there: Stored | None, *, again: bool
    ) -> Stored:
        self.claim.touch()
        if there is None:
            if again or self.resumed:
                # What had been replaced is gone by somebody else's hand, and must not come back.
                self.claim.drop_stale(file.path)
            return self.target.create(file.path, content, self.mark, file.sha256)
        if there.mark != self.mark:
            if not self.overwrite:
                raise taken([file.path], self.target.url)
            self.target.set_aside(file.path, self.claim.aside(file.path))
        return self.target.replace(file.path, content, self.mark, there, file.sha256)


def taken(paths: list[str], url: str) -> ConflictError:
    """Return the error for files that exist and must not be replaced."""
    more = len(paths) - 1
    others = f", and {count_text(more, 'more file')}" if more else ""
    return ConflictError(
        f"{paths[0]} is already at {url}{others}",
        ways_out=("replace it: --if-exists overwrite", "or give another target"),
    )
