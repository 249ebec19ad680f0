"""ValidationStep: verdicts, good and bad, from blocking and async validators."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from handrail import Orchestrator, StepFailedError, StepRegistry, StepResult
from handrail.errors import AsyncStepError, InvalidStepError, StepResultError
from handrail_utils import ValidationStep


def verdict(context: Any, returned: Any) -> Any:
    context.trail.append("looked")
    return returned


async def verdict_later(context: Any, returned: Any) -> Any:
    await asyncio.sleep(0)
    return verdict(context, returned)


def run(context: Any, check: ValidationStep[Any], driver: str) -> dict[str, Any]:
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(check)
    orchestrator = Orchestrator(registry, context)
    if driver == "blocking":
        return dict(orchestrator.execute())
    return dict(asyncio.run(orchestrator.execute_async()))


@pytest.mark.parametrize("driver", ["blocking", "async"])
@pytest.mark.parametrize("function", [verdict, verdict_later])
class TestVerdicts:
    """Blocking and async validators in both drivers."""

    def test_ok(self, context: Any, function: Any, driver: str) -> None:
        """(True, None) lets the run go on, with an empty successful result."""
        check = ValidationStep(partial(function, returned=(True, None)))
        assert run(context, check, driver)["steps_executed"] == 1
        assert context.trail == ["looked"]
        assert context.results["validate"].data == {}

    def test_error(self, context: Any, function: Any, driver: str) -> None:
        """(False, error) fails the step with exactly that error."""
        check = ValidationStep(partial(function, returned=(False, "no files")), name="files")
        with pytest.raises(StepFailedError, match=r"^Step 'files' failed: no files$"):
            run(context, check, driver)

    def test_error_missing(self, context: Any, function: Any, driver: str) -> None:
        """(False, None) fails and says that no reason was given."""
        with pytest.raises(StepFailedError, match="the validator did not say why"):
            run(context, ValidationStep(partial(function, returned=(False, None))), driver)

    @pytest.mark.parametrize("returned", [None, True, "no", (True,), (True, None, 1), {}])
    def test_no_verdict(self, context: Any, function: Any, driver: str, returned: Any) -> None:
        """Whatever is no pair fails the step with a message that shows what a pair looks like."""
        with pytest.raises(StepFailedError, match=r"it has to return \(ok, error\)") as caught:
            run(context, ValidationStep(partial(function, returned=returned)), driver)
        assert isinstance(caught.value.__cause__, StepResultError)
        assert repr(returned) in str(caught.value)


def test_shape() -> None:
    """Name, weight and effects are as documented; weights and names may be given."""
    check = ValidationStep(lambda context: (True, None))
    assert (check.name, check.progress_weight, check.effects) == ("validate", 0.05, False)
    named = ValidationStep(validator=verdict, name="n", progress_weight=0.2)
    assert (named.name, named.progress_weight) == ("n", 0.2)
    assert isinstance(check.execute(None), StepResult)


def test_validator_that_raises(context: Any) -> None:
    """An error in the validator fails the step, with that error as the cause."""

    def look(context: Any) -> Any:
        raise KeyError("files")

    with pytest.raises(StepFailedError) as caught:
        run(context, ValidationStep(look), "blocking")
    assert isinstance(caught.value.__cause__, KeyError)


def test_not_callable() -> None:
    """Something that cannot be called is refused when the step is made."""
    with pytest.raises(InvalidStepError, match="takes a function of the context, not 'files'"):
        ValidationStep("files")


def test_async_validator_is_seen_before_the_run(context: Any) -> None:
    """execute() inside a running loop refuses an async validator before any step has started."""

    async def look(context: Any) -> Any:
        return True, None

    async def main() -> None:
        run(context, ValidationStep(look), "blocking")

    with pytest.raises(AsyncStepError):
        asyncio.run(main())
    assert context.step_results == []
