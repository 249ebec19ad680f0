"""The action that this pack brings: handrail run greet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from acme_greet.steps import ComposeGreeting, GreetContext, WriteGreeting
from handrail import Argument, BaseAction, StepRegistry


class GreetParams(BaseModel):
    """What `handrail run greet` takes."""

    name: Annotated[str, Argument()] = Field(description="Whom to greet")
    file: Path | None = Field(None, description="Also write the greeting to this new file")


class Greet(BaseAction[GreetParams]):
    """Greet somebody by name."""

    context_class = GreetContext

    def setup_steps(self, registry: StepRegistry[GreetContext]) -> None:
        registry.register(ComposeGreeting())
        registry.register(WriteGreeting())

    def result(self, context: GreetContext) -> Mapping[str, Any]:
        return {"greeting": context.greeting}
