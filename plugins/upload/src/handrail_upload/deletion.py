"""Deletes at the target what the source no longer has, as far as earlier runs have put it there."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_storage import Listed, count_text
from handrail_storage.claims import NOTHING, Keys, WantedList
from handrail_upload.claiming import claims_of
from handrail_upload.errors import SourceError
from handrail_upload.tolerance import most_of

if TYPE_CHECKING:
    from handrail_storage.claims import Claim, Claimant, Deletion
    from handrail_upload.context import UploadContext
    from handrail_upload.params import UploadParams

_ESCAPED = re.compile("%([01][0-9A-F]|7F|[89A-F][0-9A-F])")  # By `readable`.


def find_missing(context: UploadContext, *, touches: bool = True) -> Counter[Claimant]:
    """Note in the list of files what the source no longer has, and may be deleted at the target.

    That is what earlier uploads of the folder, or into the collection that is named, have left.

    Args:
        context: The context of the run.
        touches: Whether something may be written; False for a preview.

    Returns:
        How much stays, by the run of another source that relies on it.

    Raises:
        SourceError: That is more than may be deleted, or a source is gone.
        StorageError: The storage failed or refused.
    """
    manifest, staying = context.use_manifest(), Counter["Claimant"]()
    manifest.note_missing((), instead_of=None)
    deletion = _deletion(context, touches=touches)
    if deletion is None:
        return staying
    others = _note_held(context, deletion)
    for keys, found in deletion.stored(_keys(context)):
        staying.update(other for _, other in found if other is not None)
        manifest.note_missing([each for each, other in found if other is None], instead_of=keys)
    count = manifest.count_missing()
    _check_number(context.options, count, others + count)
    return staying


def delete_missing(context: UploadContext, claim: Claim) -> None:
    """Set aside what was found missing, and delete it unless it has changed meanwhile.

    Raises:
        ClaimLostError: The claim is somebody else's.
        StorageError: The storage failed or refused.
    """
    manifest, storage, done = context.use_manifest(), context.use_storage(), 0
    total = manifest.count_missing()
    deletion, sources = _deletion(context) if total else None, _sources(context.options)
    for keys, there in () if deletion is None else deletion.stored(_keys(context)):
        # Since it was found missing, a file may be there again.
        found = [e for e, other in there if other is None and _is_gone(e.key, sources)]
        for each in found[:1]:
            storage.adopt(each.key)  # So the copies are flushed before anything is deleted.
        emptied = claim.delete(keys, found)
        manifest.note_gone(keys, emptied)
        storage.leave_folders(keys)
        done += len(keys)
        context.set_progress(done, total, "deletions")


def staying_lines(staying: Counter[Claimant]) -> Iterator[str]:
    """Yield for whom something stays that the source no longer has."""
    for claimant, count in staying.most_common():
        verb, them = ("stays", "it") if count == 1 else ("stay", "them")
        yield f"{count:,} {verb}: {claimant} relies on {them}"


def _deletion(context: UploadContext, *, touches: bool = True) -> Deletion | None:
    return claims_of(context, context.run, touches=touches, asks=True).deletion()


def _keys(context: UploadContext) -> Keys:
    return Keys(WantedList(context.use_manifest().missing_lines))


def _note_held(context: UploadContext, deletion: Deletion) -> int:
    """Note what earlier runs hold and the source has no longer; return how much else one holds."""
    manifest = context.use_manifest()
    sources, most = _sources(context.options), 0
    for lines in deletion.lists():
        count = 0
        for rows in lines.rows():
            held = [row[0] for row in rows if row[1] != NOTHING]
            gone = [key for key in manifest.lacking(held) if _is_gone(key, sources)]
            manifest.note_missing(Listed(key=key, size=0, etag=None) for key in gone)
            count += len(held) - manifest.count_missing(held)
        most = max(most, count)
    for folder in sources.values():
        if not Path(folder).is_dir():  # Without it, everything would look as if it were gone.
            raise SourceError(f"the source {folder} is not there any more")
    return most


def _sources(options: UploadParams) -> dict[str, str]:
    return {role: os.path.realpath(each) for role, each in options.folders.items()}


def _is_gone(key: str, sources: Mapping[str, str]) -> bool:
    """Return whether a source certainly has nothing that would be stored under a key."""
    role, _, below = key.partition("/") if "" not in sources else ("", "", key)
    if role not in sources:
        return False
    # What the name of a file has escaped, its path has not.
    names = {os.fsencode(below), _ESCAPED.sub(_unescaped, below).encode("utf-8", "surrogateescape")}
    return all(_is_absent(os.path.join(os.fsencode(sources[role]), name)) for name in names)


def _unescaped(found: re.Match[str]) -> str:
    return bytes([int(found[1], 16)]).decode("utf-8", "surrogateescape")


def _is_absent(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)  # A folder may have taken the place of a file.
    except (FileNotFoundError, NotADirectoryError):
        above = os.path.dirname(path)
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        return os.path.exists(above)  # A link to a disk that is not mounted leads nowhere.
    except (OSError, ValueError):
        return False  # Such as a folder that must not be entered.


def _check_number(options: UploadParams, count: int, there: int) -> None:
    most = most_of(options.max_delete, there)
    if count > most:
        files = count_text(count, "file")
        raise SourceError(
            f"{files} of {there:,} at {options.target} would be deleted, as the source no longer "
            f"has them; --max-delete {options.max_delete} allows {most:,}",
            ways_out=(
                f"if that is right: --max-delete {count}",
                "see them: --max-delete 100% --dry-run",
            ),
        )
