"""The pages that ask the command line: plans, and packs with their health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail.errors import HandrailError, NotFoundError
from handrail_report import plan_picture
from handrail_web.pages import TEMPLATES, View, problem_view

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from handrail_web.commands import Answer, CommandLine


class _NoAnswerError(Exception):
    """The command line has no answer; the page says why."""

    def __init__(self, view: View) -> None:
        super().__init__(view.title)
        self.view = view


def _or_why(make: Callable[..., Awaitable[View]]) -> Callable[..., Awaitable[View]]:
    """Return a function that makes a page, or the one that says why it cannot be made."""

    async def made(*arguments: Any) -> View:
        try:
            return await make(*arguments)
        except TimeoutError:
            late = HandrailError("it took longer than two minutes")
            return problem_view("This cannot be shown", late, status=504)
        except _NoAnswerError as error:
            return error.view

    return made


class Questions:
    """Answers with what the command line says.

    Args:
        commands: The command line.
        root: The path below which the pages are.
    """

    def __init__(self, commands: CommandLine, root: str) -> None:
        self._commands = commands
        self._root = root

    @_or_why
    async def actions(self) -> View:
        """Return the page of the actions that have a plan."""
        values = {"root": self._root, "actions": await self._listed()}
        return View(title="plans", sections=TEMPLATES.sections("actions.html", **values))

    @_or_why
    async def plan(self, name: str) -> View:
        """Return the page of the plan of an action.

        Only actions that are listed are planned: the name comes from an address, and planning a
        path would run whatever is there.
        """
        if all(name not in (each["name"], each["id"]) for each in await self._listed()):
            missing = NotFoundError(f"no pack that is installed has an action '{name}'")
            return problem_view("There is no such action", missing, status=404)
        plan = _document(f"The plan of {name}", await self._commands.ask("plan", name), "steps")
        listed: Sequence[Mapping[str, Any]] = plan["steps"]
        values = {"plan": plan, "steps": list(enumerate(listed, 1)), "picture": plan_picture(plan)}
        sections = TEMPLATES.sections("action.html", **values)
        return View(title=f"plan of {name}", sections=sections)

    @_or_why
    async def packs(self) -> View:
        """Return the page of the installed packs, and their health."""
        packs = _document("Packs", await self._commands.ask("packs"), "packs")["packs"]
        health = await self._commands.ask("doctor")
        found = health.document() or {}
        sections = TEMPLATES.sections(
            "packs.html",
            packs=packs,
            health=found if "problems" in found else None,
            notes=health.notes.strip(),
        )
        return View(title="packs", sections=sections)

    async def _listed(self) -> Sequence[Mapping[str, Any]]:
        found = _document("Plans", await self._commands.ask("actions"), "actions")
        actions: Sequence[Mapping[str, Any]] = found["actions"]
        return actions


def _document(title: str, answer: Answer, name: str) -> Mapping[str, Any]:
    """Return the answer of the command line, which has a value of this name.

    Raises:
        _NoAnswerError: It has none.
    """
    found, error = answer.document(), answer.error or {}
    if not answer.code and found is not None and name in found:
        return found
    message = error.get("message") or answer.notes.strip() or "it cannot be shown"
    told = HandrailError(message, ways_out=error.get("ways_out", ()))
    problems = error.get("problems", ())
    raise _NoAnswerError(problem_view(title, told, status=500, problems=problems))
