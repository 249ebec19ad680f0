"""Claims: which runs rely on the objects of a target, so that no undo takes what another needs.

Runs of different machines, journals and projects meet only in the target. Each has a claim there,
in the folder `.handrail-target`; an object lives as long as a claim relies on it.
"""

from __future__ import annotations

from handrail_storage.backend.disk import FOLDER
from handrail_storage.claims.cache import forget_cache
from handrail_storage.claims.claim import Claim
from handrail_storage.claims.claims import Claims, Preview, Waiting, claims_at, pruned_at
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.deletion import Deletion
from handrail_storage.claims.errors import (
    ClaimError,
    ClaimLostError,
    ClaimMissingError,
    ClaimRefusedError,
    ClaimStaysError,
    HeldChangedError,
)
from handrail_storage.claims.holding import Holding
from handrail_storage.claims.lists import NOTHING, Held, HeldList, WantedList
from handrail_storage.claims.records import Claimant, ClaimState, Mark, State, parse_mark
from handrail_storage.claims.replaced import Replaced, preview_of_keeping
from handrail_storage.claims.undoing import ClaimUndone, Undoing, undo_claimed

__all__ = [
    "FOLDER",
    "NOTHING",
    "Claim",
    "ClaimError",
    "ClaimLostError",
    "ClaimMissingError",
    "ClaimRefusedError",
    "ClaimState",
    "ClaimStaysError",
    "ClaimUndone",
    "Claimant",
    "Claims",
    "Clock",
    "Deletion",
    "Held",
    "HeldChangedError",
    "HeldList",
    "Holding",
    "Mark",
    "Preview",
    "Replaced",
    "State",
    "Undoing",
    "Waiting",
    "WantedList",
    "claims_at",
    "forget_cache",
    "parse_mark",
    "preview_of_keeping",
    "pruned_at",
    "undo_claimed",
]
