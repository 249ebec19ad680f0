"""The claims of an export: what its run wants at the target, and relies on afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_export.errors import ConflictError
from handrail_export.manifest import RETIRED, SAVED, STAGED, ExportedFile, Manifest
from handrail_export.manifest.document import NAME
from handrail_export.retiring import retired_files
from handrail_storage import pages
from handrail_storage.claims import Claims, Clock, Held

if TYPE_CHECKING:
    from handrail_export.context import ExportContext
    from handrail_export.undo import SaveUndo
    from handrail_storage import Store
    from handrail_storage.claims import Claim

CACHE = "claims"  # The folder in the state folder for what was read of the claims of others.
CLOCK = Clock()
STEP = "save_files"  # In the marks of objects.
_PAGE = 500


def claims_of(context: ExportContext, target: Store, cache: Path | None = None) -> Claims:
    """Return the claims of a target.

    Args:
        context: The context of the run.
        target: The target.
        cache: A folder for what is read of the claims of others.
    """
    return Claims(target, context.claimant(), cache=cache, clock=CLOCK)


def ask(context: ExportContext, claims: Claims, earlier: SaveUndo) -> Claim:
    """Claim the keys of all files that the export wants at the target.

    Args:
        context: The context of the run.
        claims: The claims of the target.
        earlier: What an earlier process has recorded.

    Raises:
        ClaimRefusedError: Another run is in the way.
        ClaimMissingError: The run had a claim, which is gone.
        ConflictError: The export to be replaced has changed meanwhile, or has files that would have
            to go for good.
        StorageError: The storage failed or refused, or a folder leads out of the target.
    """
    _check_folders(context)
    if not earlier.asked:
        _list_retired(context)
        context.record_rollback("claim", context.run)
    found = claims.ask(
        _wanted(context),
        wait=float(context.options.claim_wait),
        waiting=context.telling(),
        claimed=earlier.claimed,
    )
    if not earlier.claimed:
        _check_retired(context)
        context.record_rollback("claimed", context.run)
    return found


def _check_folders(context: ExportContext) -> None:
    """Check that no folder of the export leads out of a target on this machine.

    Raises:
        StorageError: A folder is a link to elsewhere.
    """
    if context.use_target().local:
        paths = (each.path for each in context.use_manifest().files())
        one_of_each = {os.path.dirname(path): path for path in paths}
        context.use_target().stats([*one_of_each.values()])


def _list_retired(context: ExportContext) -> None:
    manifest = context.use_manifest()
    manifest.clear(RETIRED)
    for page in pages(_retired(context), _PAGE):
        if context.options.keep_replaced and context.run_number is not None:
            raise _not_kept(page[0].path, context.layout.output)
        manifest.add(page)


def _not_kept(path: str, output: str) -> ConflictError:
    """Return the error for a file that the new export lacks.

    What stands for it has to be deleted at the end, and with that the way back.
    """
    return ConflictError(
        f"{path} of the older export in {output} is not in the new one, so it would be deleted, "
        "and the run could not be undone",
        ways_out=("delete it for good: --no-keep-replaced", "or give another target"),
    )


def _check_retired(context: ExportContext) -> None:
    """Check that the export to be replaced is still the one whose files are claimed.

    Raises:
        ConflictError: It has other files.
    """
    manifest = context.use_manifest()
    if any(not manifest.has(each.path, RETIRED) for each in _retired(context)):
        raise ConflictError(
            f"another export was completed at {context.layout.output} a moment ago",
            ways_out=("look at it, and export it again to replace that one",),
        )


def _retired(context: ExportContext) -> Iterator[ExportedFile]:
    if context.options.if_exists == "overwrite" and not context.layout.file:
        yield from retired_files(context.use_target(), context.use_manifest(), context.run)


def _wanted(context: ExportContext) -> dict[str, str | None]:
    """Return the keys, with the checksums that do not change from one process to the next."""
    files = context.use_manifest().files(STAGED, SAVED, RETIRED)
    wanted = {file.path: None if file.location else file.sha256 for file in files}
    return wanted if context.layout.file else {**wanted, NAME: None}


def hold(context: ExportContext, claim: Claim, document: ExportedFile | None) -> None:
    """Let the run rely on what it has saved, and on what it has found equal.

    Args:
        context: The context of the run.
        claim: The claim.
        document: The saved manifest.json, if there is one.

    Raises:
        ClaimLostError: The claim is somebody else's.
        StorageError: The storage failed or refused.
    """
    manifest = context.use_manifest()
    more = () if document is None else (document,)
    claim.hold(map(_held, (*manifest.files(SAVED, RETIRED), *more)))
    found = [_held(each) for each in manifest.files(SAVED) if not each.made]
    if found:
        others = claim.shared(found)
        # A claim is named after its run, with a suffix where the run has several.
        context.relies_on(each.run.partition(".")[0] for each in others)


def made_by(manifest: Manifest) -> dict[str, Held]:
    """Return what a run has saved, by key."""
    return {each.path: _held(each) for each in manifest.files(SAVED) if each.made}


def _held(file: ExportedFile) -> Held:
    return Held(key=file.path, size=file.size, sha256=file.sha256, etag=file.etag)
