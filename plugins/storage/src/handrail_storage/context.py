"""StorageContext: the common part of the contexts of packs that store files."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from handrail import BaseStepContext, StepResult
from handrail_storage.containment import PLAIN, Notes, plain_name
from handrail_storage.duration import Duration
from handrail_storage.errors import ContainmentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail_storage.claims import Claim, Claimant, ClaimRefusedError, Replaced, Waiting

T = TypeVar("T")


class StorageContext(BaseStepContext):
    """A context with the mark of the objects of its run.

    Derive yours from this class and `ActionContext`, and set the class attributes.
    """

    _containment_error: ClassVar[type[ContainmentError]] = ContainmentError
    _run_pattern: ClassVar[str] = PLAIN  # Of ids of runs, which become part of file names.
    _storing_step: ClassVar[str]  # Default in marks, outside of a run.
    _stand_in = ""  # Id in place of the run's, outside of a run, as in a test of one step.

    @property
    def client(self) -> Any:
        """The client of the runtime context.

        Raises:
            RuntimeError: The runtime context has no client.
        """
        client = getattr(self.runtime_ctx, "client", None)
        if client is None:
            raise RuntimeError(
                f"{type(self).__name__} has no client: give one to the RuntimeContext of the action"
            )
        return client

    @property
    def run(self) -> str:
        """Identifies the run, in marks and names.

        Raises:
            ContainmentError: The run id in the journal is not a valid name.
        """
        if self.run_id is not None:
            return plain_name(self.run_id, self._containment_error, self._run_pattern)
        self._stand_in = self._stand_in or str(uuid.uuid4())
        return self._stand_in

    @property
    def run_number(self) -> int | None:
        """The number of the run in its journal; None without one."""
        info = self.run_info
        return None if info is None else info.number

    @property
    def run_name(self) -> str:
        """The name of the run for people: its number, else its UUID."""
        number = self.run_number
        return self.run if number is None else str(number)

    def claimant(self, claim: str = "") -> Claimant:
        """Return the run as others are to know it.

        Args:
            claim: The name of the claim, if it is not the run.
        """
        from handrail_storage.claims.records import Claimant

        info, name = self.run_info, claim or self.run
        if info is None:
            return Claimant(run=name)
        return Claimant(
            run=name,
            number=info.number,
            host=info.host,
            user=info.user,
            journal=info.journal or "",
            action=info.action,
        )

    def telling(self) -> Waiting:
        """Return a function that logs for whom the run waits, once for each."""
        told: set[str] = set()

        def waiting(error: ClaimRefusedError, left: float) -> None:
            if error.message not in told:
                told.add(error.message)
                summary = f"{error.message}; trying again for {Duration(round(left))}"
                self.log("waiting", {"summary": summary})

        return waiting

    def settle_replaced(
        self,
        claim: Claim,
        keep: bool | Duration,
        sealed: Callable[[], object] = lambda: None,
    ) -> Replaced:
        """Keep what a completed run has replaced, or seal the run and discard it.

        A run without a journal keeps nothing, as nobody could undo or prune it.

        Args:
            claim: The claim of the run.
            keep: Whether to keep it, or how long.
            sealed: Called once the run is sealed, before anything is discarded.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        from handrail.frozen import replace

        replaced = claim.replaced()
        if not replaced.count:
            return replaced
        if keep and self.run_number is not None:
            until = None if keep is True else claim.keep_replaced(float(keep))
            return replace(replaced, until=until)
        self.seal("the files that it replaced are discarded")
        claim.seal()
        sealed()
        claim.discard_asides()
        return replace(replaced, kept=False)

    def checked_field(self, name: str, check: Callable[[object], T]) -> T:
        """Return the result of `check` for a field of the context, which a journal may have.

        Args:
            name: The name of the field.
            check: Raises a ValueError with the reason to reject its value.

        Raises:
            ContainmentError: The value was rejected; raises the class of the pack.
        """
        value: object = getattr(self, name)
        try:
            return check(value)
        except ValueError as error:
            where = f"field '{name}' of the context"
            raise self._containment_error.about(where, value, str(error)) from error

    def notes_of(self, result: StepResult) -> Notes:
        """Return the rollback data of a step, to be checked note by note."""
        return Notes(result.rollback_data, self._containment_error)

    @property
    def mark(self) -> str:
        """The mark of the objects of the running step: `<run>/<step>`."""
        return f"{self.run}/{self.current_step or self._storing_step}"
