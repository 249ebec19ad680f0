"""The errors of claims."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.errors import ExitCode, RefusedError
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.records import ClaimState, State
from handrail_storage.errors import StorageError


class ClaimError(StorageError, RefusedError):
    """A claim does not allow what a run is about to do; nothing was changed."""

    code = "claim"
    exit_code = ExitCode.PLAN


class ClaimRefusedError(ClaimError):
    """Another run is in the way.

    Attributes:
        state: The claim of that run.
    """

    code = "claim-refused"

    def __init__(self, message: str, *, state: ClaimState, ways_out: Iterable[str] = ()) -> None:
        super().__init__(message, ways_out=ways_out)
        self.state = state


class ClaimLostError(ClaimError):
    """The claim of a run is somebody else's now, or could not be renewed in time."""

    code = "claim-lost"


class ClaimMissingError(ClaimError):
    """The claim of a run that is resumed is gone, so nothing says what it may touch."""

    code = "claim-missing"
    exit_code = ExitCode.ROLLBACK


_DOES = {
    State.ASKING: "is about to work on",
    State.WORKING: "is working on",
    State.UNDOING: "is being undone at",
    State.HOLDS: "relies on",
    State.PRUNED: "relies on",
}


def does(state: ClaimState) -> str:
    """Return what a run does, as in `run 15 on build-7 is working on`."""
    return "is about to be undone at" if state.wants_undo else _DOES[state.state]


def check_free(state: ClaimState, url: str, clock: Clock, *, take_over: bool) -> None:
    """Check that a run may be undone by this process.

    Args:
        state: Its claim.
        url: The target.
        clock: The times.
        take_over: Whether to take the claim from somebody who is freeing it.

    Raises:
        ClaimError: The run stays, as it is sealed or pruned; or somebody else is freeing it.
    """
    if state.sealed:
        raise ClaimError(
            f"{state.claimant} stays at {url}: the objects that it has replaced are discarded"
        )
    if state.state is State.PRUNED:
        raise ClaimError(f"{state.claimant} stays at {url}: it is pruned from its journal")
    age = clock.now() - state.renewed
    if state.freed and not take_over and age < clock.free:
        raise ClaimError(
            f"somebody is undoing {state.claimant} at {url} with handrail claims --undo, or has "
            "begun to",
            ways_out=(
                f"try again in {(clock.free - age) / 60:.0f} minutes",
                f"if nobody is any more, end it:  handrail claims {url} --undo {state.run}",
            ),
        )


def refused(state: ClaimState, url: str, *, undo: bool) -> ClaimRefusedError:
    """Return the error for a run, or its undo, with another one in its way.

    Args:
        state: The claim of the other run.
        url: The target.
        undo: Whether an undo is refused.
    """
    claimant = state.claimant
    number = claimant.number
    journal = f" --journal {claimant.journal}" if claimant.journal else ""
    command = "rollback" if state.wants_undo or state.state is State.UNDOING else "resume"
    finish = f"handrail {command} {number}{journal}" if number is not None else ""
    on = f" on {claimant.host}" if claimant.host else ""
    ways_out = [
        "try again once it is done" if undo else "wait for it:  --claim-wait 10m",
        finish and f"if its process is dead, finish it{on}:  {finish}",
        f"look at the claims there:  handrail claims {url}",
    ]
    return ClaimRefusedError(
        f"{claimant} {does(state)} the same keys at {url}{claimant.details}",
        state=state,
        ways_out=ways_out,
    )
