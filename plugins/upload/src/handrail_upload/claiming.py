"""The claims of an upload: what its run wants at the target, and relies on afterwards."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.frozen import replace
from handrail_storage.claims import Claims, Extent, HeldList, WantedList
from handrail_storage.containment import plainly_below
from handrail_upload.errors import StorageError
from handrail_upload.manifest import CLAIMED, STORED, UNCHANGED
from handrail_upload.names import readable

if TYPE_CHECKING:
    from handrail_storage.claims import Claim, Holding
    from handrail_upload.context import UploadContext
    from handrail_upload.recorded import RecordedTransfer
    from handrail_upload.site import Site
    from handrail_upload.storage import Storage

CACHE = "claims"
"""The folder in the state folder for what was read of the claims of others."""


def claims_of(
    context: UploadContext,
    name: str,
    storage: Storage | None = None,
    *,
    touches: bool = True,
    asks: bool = False,
) -> Claims:
    """Return the claims of a target.

    Args:
        context: The context of the run.
        name: The name of the claim of the run.
        storage: The target, unless it is that of the context.
        touches: Whether something may be written; False for a preview.
        asks: Whether the run is about to ask for its claim.

    Raises:
        StorageError: The target is malformed.
    """
    cache = Path(context.site().state.path, CACHE)
    claimant = context.claimant(name)
    if asks:
        register = _register(context)
        claimant = replace(claimant, register=register, group=f"{register} {_origin(context)}")
    return Claims(storage or context.use_storage(), claimant, cache=cache, touches=touches)


def claims_to_look_at(context: UploadContext, recorded: RecordedTransfer) -> Claims:
    """Return the claims of a target for the previews of all steps, which read each list once.

    Raises:
        StorageError: The target is malformed.
    """
    known, name = context.opened.previews, recorded.claim
    if name not in known:
        known[name] = claims_of(context, name, context.open_target(recorded.target), touches=False)
    return known[name]


def _register(context: UploadContext) -> str:
    """Return what names the catalogue and the collection of a run to other runs.

    Runs without a catalogue that name the same collection delete what they no longer have, too.
    """
    identity = context.use_catalogue().identity() if context.options.registers else "none"
    return f"{identity} {context.collection or ''}" if identity else ""


def _origin(context: UploadContext) -> str:
    """Return what names, to other runs, the source that a run keeps a target up to date with.

    Several folders may feed a collection that is not named, and each knows of its own files only.
    """
    options = context.options
    if options.collection is not None or options.specification is not None:
        return "collection"
    folders = {role: os.path.realpath(each) for role, each in options.folders.items()}
    return f"{platform.node()}:{' '.join(map(readable, folders.values()))}"


def ask(context: UploadContext, earlier: RecordedTransfer, name: str) -> Claim:
    """Claim the keys of all files that the run wants to have at the target.

    Args:
        context: The context of the run.
        earlier: What an earlier process has recorded.
        name: The name of the claim.

    Raises:
        ClaimRefusedError: Another run is in the way.
        ClaimMissingError: The run had a claim, which is gone.
        StorageError: A file has a key that Handrail uses itself; or the storage failed or refused.
    """
    _check_keys(context)
    claims = claims_of(context, name, asks=True)
    wait = float(context.options.claim_wait)
    manifest = context.use_manifest()
    wanted = WantedList(partial(manifest.wanted_lines, *CLAIMED))
    count, first, last = manifest.extent(*CLAIMED)
    extent = Extent(count=count, first=first, last=last)
    found = claims.ask(
        wanted, wait=wait, waiting=context.telling(), extent=extent, claimed=earlier.claimed
    )
    if not earlier.claimed:
        context.record_rollback("claimed", name)
    return found


def _check_keys(context: UploadContext) -> None:
    """Check the keys of all valid files, before anything is done with them.

    Raises:
        StorageError: One leads out of the target, or no undo would delete an object with this key.
    """
    site, storage = context.site(), context.use_storage()
    for keys in context.use_manifest().keys(*CLAIMED):
        for key in {key.rpartition("/")[0]: key for key in keys}.values():
            storage.check(key)
        for key in keys if _may_be_kept(keys, site) else ():
            storage.check(key)
            try:
                site.key(key)
            except ValueError as error:
                raise StorageError(
                    f"{key} cannot be stored: {error} (at {storage.url})",
                    ways_out=("leave it out: --exclude PATTERN",),
                ) from error


def _may_be_kept(keys: Sequence[str], site: Site) -> bool:
    """Return whether one of many keys may be none for an upload; False if that is certain."""
    text = f"/{'/'.join(keys)}/"
    own = (".handrail-", *(f"/{each}/" for each in site.kept))
    return not (plainly_below(keys) and text.isprintable()) or any(each in text for each in own)


def hold(context: UploadContext, claim: Claim) -> None:
    """Let the run rely on what it has stored, and on what it has found equal.

    Raises:
        ClaimLostError: The claim is somebody else's.
        StorageError: The storage failed or refused.
    """
    manifest = context.use_manifest()
    claim.hold(HeldList(partial(manifest.held_lines, *STORED, emptied=True)))
    if manifest.count(UNCHANGED):
        others = claim.shared(HeldList(partial(manifest.held_lines, UNCHANGED)))
        context.relies_on({each.name for each in others})


def holding_of(context: UploadContext) -> Sequence[Holding]:
    """Return what the run holds, of each of its transfers, to look at it before it is registered.

    Raises:
        StorageError: The target is malformed.
    """
    known, claims = context.opened.holdings, context.opened.claims
    for name, claim in claims.items():
        if name not in known and claim.holds:
            known[name] = claim.holding()
    for recorded in context.transfers():
        name = recorded.claim
        if name and name not in claims and name not in known:
            known[name] = claims_of(context, name, context.open_target(recorded.target)).holding()
    return list(known.values())
