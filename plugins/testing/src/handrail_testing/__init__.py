"""Tools for the tests of packs: check an undo and the contract of packs, run steps, fake packs.

They work with pytest and without it. Every public name is imported from here on first use.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_testing.contract import PackContract as PackContract
    from handrail_testing.executor_contract import ContractHost as ContractHost
    from handrail_testing.executor_contract import ExecutorContract as ExecutorContract
    from handrail_testing.fakes import FakePack as FakePack
    from handrail_testing.fakes import FakePacks as FakePacks
    from handrail_testing.harness import SilentLogger as SilentLogger
    from handrail_testing.harness import plan_action as plan_action
    from handrail_testing.harness import run_action as run_action
    from handrail_testing.harness import run_step as run_step
    from handrail_testing.outcome import Outcome as Outcome
    from handrail_testing.undo import NotUndoneError as NotUndoneError
    from handrail_testing.undo import check_undo as check_undo
    from handrail_testing.world import folder as folder

__all__ = [
    "ContractHost",
    "ExecutorContract",
    "FakePack",
    "FakePacks",
    "NotUndoneError",
    "Outcome",
    "PackContract",
    "SilentLogger",
    "check_undo",
    "folder",
    "plan_action",
    "run_action",
    "run_step",
]

_HOMES = {
    "contract": ("PackContract",),
    "executor_contract": ("ContractHost", "ExecutorContract"),
    "fakes": ("FakePack", "FakePacks"),
    "harness": ("SilentLogger", "plan_action", "run_action", "run_step"),
    "outcome": ("Outcome",),
    "undo": ("NotUndoneError", "check_undo"),
    "world": ("folder",),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
