"""Runs parts of a run elsewhere: isolated steps, the items of steps, and the runs of sweeps.

Names are imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

MARKS_USER_CODE = True
"""A signal interrupts what functions of this package call, if they are marked, and nothing else."""

with lazy_imports(__name__):
    from handrail.journal import AttemptId as AttemptId
    from handrail.journal import Note as Note
    from handrail.places import project_files as project_files
    from handrail_workers.executors.code import prepare as prepare
    from handrail_workers.executors.environment import distributions as distributions
    from handrail_workers.executors.environment import environment_digest as environment_digest
    from handrail_workers.executors.item_context import ItemContext as ItemContext
    from handrail_workers.executors.masking import masked as masked
    from handrail_workers.executors.protocol import Cancelled as Cancelled
    from handrail_workers.executors.protocol import ChunkCall as ChunkCall
    from handrail_workers.executors.protocol import CodeRef as CodeRef
    from handrail_workers.executors.protocol import Death as Death
    from handrail_workers.executors.protocol import Done as Done
    from handrail_workers.executors.protocol import Executor as Executor
    from handrail_workers.executors.protocol import ExecutorFactory as ExecutorFactory
    from handrail_workers.executors.protocol import Failed as Failed
    from handrail_workers.executors.protocol import Full as Full
    from handrail_workers.executors.protocol import Guarantees as Guarantees
    from handrail_workers.executors.protocol import Host as Host
    from handrail_workers.executors.protocol import ItemError as ItemError
    from handrail_workers.executors.protocol import ItemLine as ItemLine
    from handrail_workers.executors.protocol import Lost as Lost
    from handrail_workers.executors.protocol import Outcome as Outcome
    from handrail_workers.executors.worker import work as work
    from handrail_workers.sweeps.action import SweepFailedError as SweepFailedError
    from handrail_workers.sweeps.begin import SweepOptions as SweepOptions
    from handrail_workers.sweeps.begin import sweep as sweep
    from handrail_workers.sweeps.record import Child as Child
    from handrail_workers.sweeps.record import SweepRecord as SweepRecord
    from handrail_workers.sweeps.record import sweep_of as sweep_of
