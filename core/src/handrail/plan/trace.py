"""Records the questions to packs during planning, and their answers.

Packs are called through recording proxies, so planning without a trace costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import Problem, describe
from handrail.frozen import record
from handrail.steps import BaseStep
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.edits import EditSet
    from handrail.plan.order import Contributor


@record
class Question:
    """One call of a hook, and the answer.

    Attributes:
        pack: The pack that was called.
        hook: The hook.
        step: Name of the step in question, or None for the whole action.
        answers: The answer, as one phrase for each of its parts; empty for None.
        error: The exception of the hook, or an empty string.
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
    """A proxy for a provider of packs that records the calls of their hooks.

    Args:
        provider: The real provider.

    Attributes:
        questions: All questions, in order.
        packs: The packs that can be called.
    """

    def __init__(self, provider: object) -> None:
        self._provider: Any = provider
        self._traced: tuple[TracedPack, ...] | None = None
        self.questions: list[Question] = []

    @property
    def packs(self) -> Sequence[TracedPack]:
        """The packs that can be called; empty before they are loaded."""
        return self._traced or ()

    def contributors(self) -> Sequence[TracedPack]:
        """Return a proxy for every pack of the provider."""
        if self._traced is None:
            packs = self._provider.contributors()
            self._traced = tuple(TracedPack(pack, self.questions) for pack in packs)
        return self._traced

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


class TracedPack:
    """A proxy for a pack that records the calls of its hooks."""

    def __init__(self, pack: Contributor, questions: list[Question]) -> None:
        self._pack = pack
        self._questions = questions

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call the hook of the pack, and return its answer."""
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
    """An iterable answer; its items are recorded as they are taken."""

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
        names = ", ".join(insertion.titles)
        where = "at the end" if insertion.anchor is None else f"{insertion.side} {insertion.anchor}"
        yield f"{names} {where}"
    for replacement in edits.replacements:
        yield f"{replacement.entry.name} instead of {replacement.name}"
    for wrapping in edits.wrappings:
        yield f"a layer around {wrapping.name}"
    for removal in edits.removals:
        yield f"without {removal.name}"
