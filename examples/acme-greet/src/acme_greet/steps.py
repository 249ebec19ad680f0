"""The steps of this pack, and the wrapper that it puts around other people's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handrail import Around, BaseStep, BaseStepContext, Run, StepResult, StepWrapper


@dataclass(kw_only=True)
class GreetContext(BaseStepContext):
    """What the steps of `greet` share."""

    name: str
    file: Path | None = None
    greeting: str = ""


class ComposeGreeting(BaseStep[GreetContext]):
    """Find the words."""

    name = "compose_greeting"
    progress_weight = 0.1
    effects = False

    def execute(self, context: GreetContext) -> StepResult:
        context.greeting = f"Hello, {context.name}!"
        return StepResult(data={"summary": context.greeting})


class WriteGreeting(BaseStep[GreetContext]):
    """Write the greeting to a new file."""

    name = "write_greeting"
    progress_weight = 0.9

    def can_skip(self, context: GreetContext) -> bool:
        return context.file is None

    def execute(self, context: GreetContext) -> StepResult:
        file, text = context.file, context.greeting + "\n"
        assert file is not None
        if file.exists():  # Nothing is recorded yet, so the undo will not touch it.
            return StepResult(success=False, error=f"{file} is there already")
        context.record_rollback("written", {"file": str(file), "text": text})
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
        return StepResult(data={"summary": str(file)})

    def rollback(self, context: GreetContext, result: StepResult) -> None:
        for written in result.rollback_data.get("written", []):
            file = Path(written["file"])
            # Whatever else may be there by now is not ours to delete.
            if file.exists() and file.read_text(encoding="utf-8") == written["text"]:
                file.unlink()

    def preview(self, context: GreetContext) -> str:
        return f"write {context.greeting!r} to {context.file}"


class GreetGuests(BaseStep[BaseStepContext]):
    """Greet everybody that the step find_guests has found.

    Its context is the general one, so it fits every workflow. What it needs from the step of
    another author it takes from that step's result.
    """

    name = "greet_guests"
    progress_weight = 0.1

    def can_skip(self, context: BaseStepContext) -> bool:
        return "find_guests" not in context.results

    def execute(self, context: BaseStepContext) -> StepResult:
        guests = context.results["find_guests"].data.get("guests", [])
        for guest in guests:
            context.log("greeting", {"text": f"Hello, {guest}!"})
        return StepResult(data={"greeted": len(guests)})


class KnockStep(StepWrapper[BaseStepContext]):
    """Knock before the step inside begins."""

    def around(self, context: BaseStepContext) -> Around:
        context.log("knock", {"at": self.wrapped.name})
        return (yield Run())
