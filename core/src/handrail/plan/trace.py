"""What each pack was asked while a plan was made, and what it answered.

Packs are asked through stand-ins that write down what passes, so a plan that nobody traces is made
as if there were no traces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import Problem, describe
from handrail.steps import BaseStep
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.edits import EditSet
    from handrail.plan.order import Contributor


@dataclass(slots=True, kw_only=True)
class Question:
    """One call of a hook, and the answer.

    Attributes:
        pack: The pack that was asked.
        hook: The hook.
        step: Name of the step that it was asked about, or None where it is about the whole action.
        answers: The answer, one phrase for each thing in it; empty for None.
        error: What the hook raised, or an empty string.
    """

    pack: Origin
    hook: str
    step: str | None = None
    answers: list[str] = field(default_factory=list[str])
    error: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form; `pack` is the name of the pack."""
        return {
            "pack": self.pack.pack,
            "version": self.pack.version,
            "hook": self.hook,
            "step": self.step,
            "answers": list(self.answers),
            "error": self.error or None,
        }


class TracedPacks:
    """Stands for a provider of packs, and writes down what its packs are asked.

    Args:
        provider: The provider that it stands for.

    Attributes:
        questions: Every question in the order in which it was asked.
        packs: The packs that could be asked.
    """

    def __init__(self, provider: object) -> None:
        self._provider: Any = provider
        self._traced: tuple[TracedPack, ...] | None = None
        self.questions: list[Question] = []

    @property
    def packs(self) -> Sequence[TracedPack]:
        """The packs that could be asked; none before they were loaded."""
        return self._traced or ()

    def contributors(self) -> Sequence[TracedPack]:
        """Return a stand-in for every pack of the provider."""
        if self._traced is None:
            packs = self._provider.contributors()
            self._traced = tuple(TracedPack(pack, self.questions) for pack in packs)
        return self._traced

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


class TracedPack:
    """Stands for one pack, and writes down what it is asked."""

    def __init__(self, pack: Contributor, questions: list[Question]) -> None:
        self._pack = pack
        self._questions = questions

    def call(self, hook: str, **arguments: Any) -> Any:
        """Ask the pack, and return what it answers."""
        step = arguments.get("step")
        question = Question(
            pack=self._pack.origin, hook=hook, step=None if step is None else step.name
        )
        self._questions.append(question)
        registry = arguments.get("registry")
        try:
            answer: Any = self._pack.call(hook, **arguments)
        except Exception as error:
            question.error = describe(error)
            raise
        finally:
            if registry is not None:
                question.answers += _edits(registry.edits)
        if isinstance(answer, Iterable) and not isinstance(answer, str | bytes | BaseStep):
            return _Overheard(cast("Iterable[object]", answer), question)
        if answer is not None:
            question.answers.append(_phrase(answer))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pack, name)


class _Overheard:
    """An answer of several things, which are written down as they are taken out of it."""

    def __init__(self, answer: Iterable[object], question: Question) -> None:
        self._answer = answer
        self._question = question

    def __iter__(self) -> Iterator[object]:
        try:
            for each in self._answer:
                self._question.answers.append(_phrase(each))
                yield each
        except Exception as error:
            self._question.error = describe(error)
            raise

    def __repr__(self) -> str:
        return repr(self._answer)


def _phrase(answer: object) -> str:
    if isinstance(answer, Problem):
        return f"{answer.code}: {answer.message}"
    if not isinstance(answer, BaseStep):
        return repr(answer)
    given = cast("object", answer)
    kind = type(given).__name__
    return kind if is_wrapper(given) else str(getattr(given, "name", kind))


def _edits(edits: EditSet) -> Iterator[str]:
    for insertion in edits.insertions:
        names = ", ".join(entry.name for entry in insertion.entries)
        where = "at the end" if insertion.anchor is None else f"{insertion.side} {insertion.anchor}"
        yield f"{names} {where}"
    for replacement in edits.replacements:
        yield f"{replacement.entry.name} instead of {replacement.name}"
    for wrapping in edits.wrappings:
        yield f"a layer around {wrapping.name}"
    for removal in edits.removals:
        yield f"without {removal.name}"
