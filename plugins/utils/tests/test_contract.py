"""What every pack promises, of this one."""

from __future__ import annotations

from handrail import BaseStepContext, RuntimeContext, step
from handrail_testing import PackContract
from handrail_utils import LoggingStep, RetryStep, TimingStep, ValidationStep


@step
def work(context):
    context.record_rollback("done", "work")
    return {"done": True}


class SilentLogger:
    def log(self, event, data, file=None): ...

    def set_progress(self, current, total, category=None): ...

    def set_metrics(self, value, category=None): ...


class TestContract(PackContract):
    distribution = "handrail-utils"
    steps = {  # noqa: RUF012 - not meant to be changed
        "logging": lambda: LoggingStep(work),
        "retry": lambda: RetryStep(work),
        "timing": lambda: TimingStep(work),
        "validation": lambda: ValidationStep(lambda context: (True, None)),
    }

    def context(self):
        return BaseStepContext(runtime_ctx=RuntimeContext(logger=SilentLogger()))
