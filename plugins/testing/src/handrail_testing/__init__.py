"""Tools for the tests of packs: check an undo and the contract of packs, run steps, fake packs.

They work with pytest and without it. Every public name is imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_testing.contract import PackContract as PackContract
    from handrail_testing.executor_contract import ContractHost as ContractHost
    from handrail_testing.executor_contract import ExecutorContract as ExecutorContract
    from handrail_testing.fakes import FakePack as FakePack
    from handrail_testing.fakes import FakePacks as FakePacks
    from handrail_testing.harness import SilentLogger as SilentLogger
    from handrail_testing.harness import plan_action as plan_action
    from handrail_testing.harness import run_action as run_action
    from handrail_testing.harness import run_step as run_step
    from handrail_testing.journal_contract import JournalContract as JournalContract
    from handrail_testing.outcome import Outcome as Outcome
    from handrail_testing.undo import NotUndoneError as NotUndoneError
    from handrail_testing.undo import check_undo as check_undo
    from handrail_testing.world import folder as folder
