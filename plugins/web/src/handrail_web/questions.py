"""The pages that ask the command line: plans, and packs with their health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from handrail.errors import HandrailError, NotFoundError
from handrail_report import Content, Markup, element, plan_picture
from handrail_web.pages import View, problem_view

if TYPE_CHECKING:
    from handrail_web.commands import Answer, CommandLine

_LATE = "it took longer than two minutes"


class Questions:
    """Answers with what the command line says.

    Args:
        commands: The command line.
        root: The path below which the pages are.
    """

    def __init__(self, commands: CommandLine, root: str) -> None:
        self._commands = commands
        self._root = root

    async def actions(self) -> View:
        """Return the page of the actions that have a plan."""
        found = await self._listed()
        if isinstance(found, View):
            return found
        rows = [
            [
                element("a", each["name"], href=self._plan_at(each)),
                _state(each["status"], each["why"]),
                f"{each['pack']} {each['version']}",
                each["does"] or "",
            ]
            for each in found
        ]
        table = _table("The actions", ("Action", "Status", "From", "Does"), rows)
        none = element("p", "No installed pack brings an action, and the project has none.")
        section = element("section", element("h1", "Plans"), table if rows else none, id="actions")
        return View(title="plans", sections={"actions": section})

    async def plan(self, name: str) -> View:
        """Return the page of the plan of an action.

        Only actions that are listed are planned: the name comes from an address, and planning a
        path would run whatever is there.
        """
        found = await self._listed()
        if isinstance(found, View):
            return found
        if all(name not in (each["name"], each["id"]) for each in found):
            missing = NotFoundError(f"no pack that is installed has an action '{name}'")
            return problem_view("There is no such action", missing, status=404)
        try:
            answer = await self._commands.ask("plan", name)
        except TimeoutError:
            return problem_view(name, HandrailError(_LATE), status=504)
        plan = answer.document()
        if answer.code or plan is None or "steps" not in plan:
            return _refused(f"The plan of {name}", answer)
        heading = element(
            "section",
            element("h1", f"Plan of {plan['action']}"),
            element("p", _plural(len(plan["steps"]), "step"), f" · plan {plan['fingerprint'][:8]}"),
            id="heading",
        )
        picture = element("section", plan_picture(plan), id="plan")
        return View(
            title=f"plan of {name}",
            sections={"heading": heading, "plan": picture, "steps": _steps(plan["steps"])},
        )

    async def packs(self) -> View:
        """Return the page of the installed packs, and their health."""
        try:
            listed = await self._commands.ask("packs")
            health = await self._commands.ask("doctor")
        except TimeoutError:
            return problem_view("Packs", HandrailError(_LATE), status=504)
        known = listed.document()
        if listed.code or known is None:
            return _refused("Packs", listed)
        head = ("Pack", "Status", "Why", "Actions", "Steps", "Commands")
        table = _table("The packs", head, map(_pack, known["packs"]))
        section = element("section", element("h1", "Packs"), table, id="packs")
        return View(title="packs", sections={"packs": section, "health": _health(health)})

    async def _listed(self) -> View | Sequence[Mapping[str, Any]]:
        try:
            answer = await self._commands.ask("actions")
        except TimeoutError:
            return problem_view("Plans", HandrailError(_LATE), status=504)
        document = answer.document()
        if answer.code or document is None:
            return _refused("Plans", answer)
        actions: Sequence[Mapping[str, Any]] = document["actions"]
        return actions

    def _plan_at(self, action: Mapping[str, Any]) -> str:
        return f"{self._root}/plans/{quote(action['name'])}"


def _refused(title: str, answer: Answer) -> View:
    """Return the page that says why the command line has no answer."""
    error = answer.error
    if error is None:
        told = HandrailError(answer.notes.strip() or "it cannot be shown")
    else:
        told = HandrailError(error["message"], ways_out=error.get("ways_out", ()))
    view = problem_view(title, told, status=500)
    problems: Sequence[Mapping[str, Any]] = (error or {}).get("problems", ())
    more = {"problems": _problems("Problems", problems)} if problems else {}
    return View(title=title, sections={**view.sections, **more}, icon="bad", status=500)


def _steps(steps: Sequence[Mapping[str, Any]]) -> Markup:
    rows: list[list[Content]] = []
    for number, step in enumerate(steps, 1):
        layers = [
            element("div", f"└ in {each['name']} from {_owner(each['origin'])}", class_="muted")
            for each in step["layers"]
        ]
        rules = [
            *["always runs"] * bool(step["always_run"]),
            *["required"] * bool(step["required"]),
            *["final"] * step["final"],
            *["only reads"] * (not step["effects"]),
        ]
        rows.append(
            [
                number,
                [element("span", step["name"], class_="name"), layers],
                f"{step['weight_share']:.0%}",
                "yes" if step["undo"] else "-",
                [_owner(step["origin"]), element("div", _place(step["origin"]), class_="muted")],
                step["reason"],
                ", ".join(rules),
            ]
        )
    head = ("#", "Step", "Share", "Undo", "From", "Why here", "Rules")
    return element("section", element("h2", "Steps"), _table("The steps", head, rows), id="steps")


def _pack(pack: Mapping[str, Any]) -> list[Content]:
    return [
        [
            element("span", f"{pack['id']} {pack['version']}", class_="name"),
            element("div", pack["summary"], class_="muted"),
        ],
        _state(pack["status"], ""),
        pack["why"],
        ", ".join(pack["actions"]),
        ", ".join(pack["steps"]),
        ", ".join(pack["commands"]),
    ]


def _health(answer: Answer) -> Markup:
    found = answer.document()
    if found is None or "problems" not in found:
        told: Content = element("p", answer.notes.strip() or "The doctor has no answer.")
        return element("section", element("h2", "Health"), told, id="health")
    problems, unchecked = found["problems"], found["unchecked"]
    count = _plural(len(problems), "problem")
    said = "no problem was found" if not problems else f"{count} found"
    state = element(
        "p",
        element("span", "✗ " if problems else "✓ ", aria_hidden="true"),
        f"{said} · {_plural(len(found['planned']), 'action')} planned",
        class_=f"notice {'bad' if problems else 'good'}",
    )
    return element(
        "section",
        element("h2", "Health"),
        state,
        _problems("Problems", problems) if problems else None,
        _problems("Warnings", found["warnings"]) if found["warnings"] else None,
        [
            element("p", f"Not checked: {each['action']}: {each['why']}", class_="notice warn")
            for each in unchecked
        ],
        id="health",
    )


def _problems(title: str, problems: Iterable[Mapping[str, Any]]) -> Markup:
    return element(
        "div",
        element("h3", title),
        [
            element(
                "div",
                element("p", each["message"]),
                [element("pre", way, class_="command") for way in each.get("ways_out", ())],
                class_="problem",
            )
            for each in problems
        ],
    )


def _table(name: str, head: Sequence[str], rows: Iterable[Sequence[Content]]) -> Markup:
    numbers = {"#", "Share"}
    looks = ["number" if name in numbers else None for name in head]
    body = [
        element(
            "tr", [element("td", cell, class_=look) for cell, look in zip(row, looks, strict=True)]
        )
        for row in rows
    ]
    heads = [
        element("th", name, scope="col", class_=look)
        for name, look in zip(head, looks, strict=True)
    ]
    table = element("table", element("thead", element("tr", heads)), element("tbody", body))
    # Where it is wider than the window, it can be scrolled with keys.
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=name)


def _state(status: str, why: str) -> Content:
    tones = {"on": "good", "required": "good", "policy": "good", "off": "quiet"}
    glyphs = {"good": "✓", "quiet": "-"}
    tone = tones.get(status, "bad")
    glyph = element("span", glyphs.get(tone, "✗"), aria_hidden="true")
    return [element("span", glyph, status, class_=f"state {tone}"), f" {why}" if why else None]


def _owner(origin: Mapping[str, Any]) -> str:
    owner = f"{origin['pack'] or ''} {origin['version']}".strip()
    return owner or origin["file"] or origin["module"] or "this program"


def _place(origin: Mapping[str, Any]) -> str:
    file, line = origin["file"], origin["line"]
    return f"{file}:{line}" if file and line else file or origin["module"]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
