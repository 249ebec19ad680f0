"""`handrail plan ACTION --trace`: what each pack was asked, and what it answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from handrail.cli.view.text import one_line, plural
from handrail.errors import ExitCode, HandrailError
from handrail.plan.trace import Question, TracedPacks

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.packs.provider import PackProvider
    from handrail.plan.plan import Plan


def show_trace(
    session: Session, action: str, make: Callable[[PackProvider], Plan], *, as_json: bool
) -> int:
    """Make the plan and show what led to it, also where it has problems; return the exit code.

    Raises:
        HandrailError: The plan cannot be made, or has problems; the trace has been shown.
    """
    packs = TracedPacks(session.packs)
    error: HandrailError | None = None
    plan: Plan | None = None
    try:
        plan = make(cast("PackProvider", packs))
    except HandrailError as caught:
        error = caught
    if as_json:
        session.console.json(
            {
                "action": action,
                "packs": [{"id": each.id, "version": each.origin.version} for each in packs.packs],
                "questions": [question.to_dict() for question in packs.questions],
                "fingerprint": None if plan is None else plan.fingerprint,
                "error": None if error is None else error.to_dict(),
            }
        )
        return ExitCode.DONE if error is None else error.exit_code
    for line in _lines(session, action, packs):
        session.console.print(line)
    if error is not None:
        raise error
    return ExitCode.DONE


def _lines(session: Session, action: str, packs: TracedPacks) -> Iterator[str]:
    asked = packs.questions
    answered = sum(bool(question.answers) for question in asked)
    count = f"{plural(len(packs.packs), 'pack')}, {plural(len(asked), 'question')}"
    yield session.console.style(f"{action} · {count}, {answered} answered", "bold")
    for pack in packs.packs:
        yield session.console.style(str(pack.origin), "bold")
        mine = [question for question in asked if question.pack == pack.origin]
        if not mine:
            yield "  was not asked: it has no hook that shapes a plan"
        for hook in dict.fromkeys(question.hook for question in mine):
            yield from _hook_lines(hook, [each for each in mine if each.hook == hook])


def _hook_lines(hook: str, questions: list[Question]) -> Iterator[str]:
    silent = 0
    for question in questions:
        about = f" {question.step}" if question.step else ""
        if question.error:
            yield f"  {hook}{about}: raised {one_line(question.error, limit=200)}"
        elif question.answers:
            for answer in question.answers:
                yield f"  {hook}{about}: {one_line(answer, limit=200)}"
        else:
            silent += 1
    if silent and questions[0].step is None:
        nothing = "no problem" if hook == "check_plan" else "no edit"
        yield f"  {hook}: {nothing}"
    elif silent:
        others = "other step" if silent < len(questions) else "step"
        yield f"  {hook} {plural(silent, others)}: None"
