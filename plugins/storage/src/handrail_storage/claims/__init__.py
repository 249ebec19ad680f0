"""Claims: which runs rely on the objects of a target, so that no undo takes what another needs.

Runs of different machines, journals and projects meet only in the target. Each has a claim there,
in the folder `.handrail-target`; an object lives as long as a claim relies on it.

Every name is imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail_storage.backend.disk import FOLDER as FOLDER
    from handrail_storage.claims.cache import forget_cache as forget_cache
    from handrail_storage.claims.claim import Claim as Claim
    from handrail_storage.claims.claims import Claims as Claims
    from handrail_storage.claims.claims import Preview as Preview
    from handrail_storage.claims.claims import Waiting as Waiting
    from handrail_storage.claims.claims import claims_at as claims_at
    from handrail_storage.claims.claims import pruned_at as pruned_at
    from handrail_storage.claims.clock import Clock as Clock
    from handrail_storage.claims.deletion import Deletion as Deletion
    from handrail_storage.claims.errors import ClaimError as ClaimError
    from handrail_storage.claims.errors import ClaimLostError as ClaimLostError
    from handrail_storage.claims.errors import ClaimMissingError as ClaimMissingError
    from handrail_storage.claims.errors import ClaimRefusedError as ClaimRefusedError
    from handrail_storage.claims.errors import ClaimStaysError as ClaimStaysError
    from handrail_storage.claims.errors import HeldChangedError as HeldChangedError
    from handrail_storage.claims.holding import Holding as Holding
    from handrail_storage.claims.keys import Extent as Extent
    from handrail_storage.claims.keys import Keys as Keys
    from handrail_storage.claims.lists import NOTHING as NOTHING
    from handrail_storage.claims.lists import Held as Held
    from handrail_storage.claims.lists import HeldList as HeldList
    from handrail_storage.claims.lists import WantedList as WantedList
    from handrail_storage.claims.records import Claimant as Claimant
    from handrail_storage.claims.records import ClaimState as ClaimState
    from handrail_storage.claims.records import Mark as Mark
    from handrail_storage.claims.records import State as State
    from handrail_storage.claims.records import parse_mark as parse_mark
    from handrail_storage.claims.replaced import Replaced as Replaced
    from handrail_storage.claims.replaced import preview_of_keeping as preview_of_keeping
    from handrail_storage.claims.undoing import ClaimUndone as ClaimUndone
    from handrail_storage.claims.undoing import Undoing as Undoing
    from handrail_storage.claims.undoing import undo_claimed as undo_claimed
