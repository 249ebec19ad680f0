"""Runs parts of a run elsewhere: isolated steps, the items of steps, and the runs of sweeps.

Names are imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_workers.sweeps import sweep as sweep
    from handrail_workers.sweeps import sweep_async as sweep_async
    from handrail_workers.sweeps import sweep_of as sweep_of
    from handrail_workers.sweeps.errors import SweepFailedError as SweepFailedError
    from handrail_workers.sweeps.record import Child as Child
    from handrail_workers.sweeps.record import SweepRecord as SweepRecord
