"""Handrail: workflows of named steps that can be undone.

Public names are imported on first use, so `import handrail` costs next to nothing.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail.actions import BaseAction as BaseAction
    from handrail.chains import chain as chain
    from handrail.context import BaseStepContext as BaseStepContext
    from handrail.context import RunInfo as RunInfo
    from handrail.context import RuntimeContext as RuntimeContext
    from handrail.context import RuntimeLogger as RuntimeLogger
    from handrail.errors import DuplicateStepError as DuplicateStepError
    from handrail.errors import ExitCode as ExitCode
    from handrail.errors import HandrailError as HandrailError
    from handrail.errors import InvalidStepError as InvalidStepError
    from handrail.errors import PackError as PackError
    from handrail.errors import ParamsError as ParamsError
    from handrail.errors import PlanError as PlanError
    from handrail.errors import Problem as Problem
    from handrail.errors import RefusedError as RefusedError
    from handrail.errors import SourceChangedError as SourceChangedError
    from handrail.errors import StepFailedError as StepFailedError
    from handrail.errors import StepNotFoundError as StepNotFoundError
    from handrail.groups import Parallel as Parallel
    from handrail.groups import parallel as parallel
    from handrail.hookspecs import PackInfo as PackInfo
    from handrail.hookspecs import PrunedRun as PrunedRun
    from handrail.hookspecs import hookimpl as hookimpl
    from handrail.limits import Limits as Limits
    from handrail.limits import RollbackPolicy as RollbackPolicy
    from handrail.orchestrator import Orchestrator as Orchestrator
    from handrail.origin import Origin as Origin
    from handrail.params.context import ActionContext as ActionContext
    from handrail.params.model import Argument as Argument
    from handrail.params.model import FromEnv as FromEnv
    from handrail.params.model import Option as Option
    from handrail.plan.plan import Plan as Plan
    from handrail.plan.plan import PlannedStep as PlannedStep
    from handrail.plan.rules import ActionInfo as ActionInfo
    from handrail.recovery.preparation import resume as resume
    from handrail.recovery.preparation import resume_async as resume_async
    from handrail.recovery.preparation import rollback as rollback
    from handrail.recovery.preparation import rollback_async as rollback_async
    from handrail.registry import StepRegistry as StepRegistry
    from handrail.run_step import RunStep as RunStep
    from handrail.serializers import Serializer as Serializer
    from handrail.steps import BaseStep as BaseStep
    from handrail.steps import StepResult as StepResult
    from handrail.steps import step as step
    from handrail.workflow import Workflow as Workflow
    from handrail.workflow import action as action
    from handrail.wrapper import Around as Around
    from handrail.wrapper import Run as Run
    from handrail.wrapper import Sleep as Sleep
    from handrail.wrapper import StepWrapper as StepWrapper
    from handrail.wrapper import Undo as Undo
