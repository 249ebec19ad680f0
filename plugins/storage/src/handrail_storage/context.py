"""StorageContext: what steps that store something share, whatever they store."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from handrail import BaseStepContext
from handrail_storage.containment import PLAIN, plain_name
from handrail_storage.errors import ContainmentError


class StorageContext(BaseStepContext):
    """A context that knows by which mark the objects of its run are known.

    A pack puts it before `ActionContext` and sets what begins with an underscore.
    """

    _containment_error: ClassVar[type[ContainmentError]] = ContainmentError
    _run_pattern: ClassVar[str] = PLAIN  # What ids of runs are like; names are made from them.
    _storing_step: ClassVar[str]  # In the mark outside of a run, as in a test of one step.
    _stand_in = ""  # For the id of the run, likewise.

    @property
    def client(self) -> Any:
        """The client of the runtime context.

        Raises:
            RuntimeError: There is none.
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
            ContainmentError: What the journal has for it is no name.
        """
        if self.run_id is not None:
            return plain_name(self.run_id, self._containment_error, self._run_pattern)
        self._stand_in = self._stand_in or str(uuid.uuid4())
        return self._stand_in

    @property
    def mark(self) -> str:
        """What the objects of the running step are marked with: `<run>/<step>`."""
        return f"{self.run}/{self.current_step or self._storing_step}"
