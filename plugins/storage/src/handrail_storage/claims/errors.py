"""The errors of claims."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from handrail.errors import ExitCode, RefusedError
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.records import ClaimState, State
from handrail_storage.errors import StorageError
from handrail_storage.texts import moment_text


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


class ClaimStaysError(ClaimError):
    """A run cannot be undone any more, as what its undo needs is not kept."""

    code = "claim-stays"
    exit_code = ExitCode.ROLLBACK


class ClaimLostError(ClaimError):
    """The claim of a run is somebody else's now, or could not be renewed in time."""

    code = "claim-lost"


class ClaimMissingError(ClaimError):
    """The claim of a run that is resumed is gone, so nothing says what it may touch."""

    code = "claim-missing"


class HeldChangedError(ClaimError):
    """What a run holds is no longer there, so it must not be registered elsewhere."""

    code = "claim-changed"


def claim_missing(url: str) -> ClaimMissingError:
    """Return the error for a run that goes on, and whose claim is gone."""
    return ClaimMissingError(
        f"the claim of this run at {url} is gone, so others may have changed "
        "what it has left there",
        ways_out=("undo the run, which deletes nothing there, and start a new one",),
    )


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


def claims_command(url: str) -> str:
    """Return the command that lists the claims of a target."""
    return f"handrail claims {shlex.quote(url)}"


def check_stays(state: ClaimState, url: str, now: float) -> None:
    """Check that a run can still be undone.

    Args:
        state: Its claim.
        url: The target.
        now: Seconds since 1970.

    Raises:
        ClaimStaysError: It is sealed or pruned, or what it has replaced was to be kept until now.
    """
    if state.state is State.PRUNED:
        why = "it is pruned from its journal"
    elif state.until is not None and (state.sealed or state.is_over(now)):
        why = f"what it has replaced was kept until {moment_text(state.until)}"
    elif state.sealed:
        why = "what it has replaced is discarded"
    else:
        return
    raise ClaimStaysError(f"{state.claimant} stays at {url}: {why}")


def check_freed(state: ClaimState, url: str, clock: Clock) -> None:
    """Check that nobody undoes a run from outside, without its journal.

    Raises:
        ClaimError: Somebody does, or has begun to less than an hour after its last sign of life.
    """
    age = clock.now() - state.renewed
    if state.freed and age < clock.free:
        raise ClaimError(
            f"somebody is undoing {state.claimant} at {url} with handrail claims --undo, or has "
            "begun to",
            ways_out=(
                f"try again in {(clock.free - age) / 60:.0f} minutes",
                f"if nobody is any more, end it:  {claims_command(url)} --undo {state.run}",
            ),
        )


def refused(state: ClaimState, url: str, *, undo: bool) -> ClaimRefusedError:
    """Return the error for a run, or its undo, with another one in its way.

    Args:
        state: The claim of the other run.
        url: The target.
        undo: Whether an undo is refused.
    """
    claimant, commands = state.claimant, state.commands
    on = f" on {claimant.host}" if claimant.host else ""
    ways_out = [
        "try again once it is done" if undo else "wait for it:  --claim-wait 10m",
        f"if its process is dead, finish it{on}:  {commands[0]}" if commands else "",
        f"look at the claims there:  {claims_command(url)}",
    ]
    return ClaimRefusedError(
        f"{claimant} {does(state)} the same keys at {url}{claimant.details}",
        state=state,
        ways_out=ways_out,
    )
