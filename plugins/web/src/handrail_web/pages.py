"""The pages that are made from the journal alone, and so can be followed: runs, one run, several.

Each is a value that the server renders as a document, and of which the stream sends the sections
that changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import click

from handrail.cli import Session, number_in, report_of, runs_to_dict
from handrail.errors import HandrailError, NotFoundError
from handrail.frozen import frozen
from handrail.journal import RunPage
from handrail_report import (
    Content,
    Markup,
    compare_sections,
    element,
    run_sections,
    runs_sections,
    sweep_sections,
)
from handrail_web.icons import icon_of

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail_web.commands import CommandLine
    from handrail_web.journals import SharedJournal

Outcome = Literal["completed", "rolled_back", "rollback_incomplete", "failed", "interrupted"]

ROWS = 50  # Runs on a page.
_COMPARED = 10  # Runs side by side.
_OUTCOMES: Mapping[Outcome, str] = {
    "interrupted": "running or interrupted",
    "completed": "completed",
    "failed": "failed (kept)",
    "rolled_back": "rolled back",
    "rollback_incomplete": "rollback incomplete",
}


@frozen
class View:
    """What a page shows.

    Attributes:
        title: Its title.
        sections: Its sections in order, each with its name as its `id`.
        icon: The name of its icon.
        status: The status of the answer.
        moves: Whether a run on it is at work, so that its clocks tick.
    """

    title: str
    sections: Mapping[str, Markup]
    icon: str = "handrail"
    status: int = 200
    moves: bool = False


def problem_view(
    title: str, error: HandrailError | None, *, status: int, back: Markup | None = None
) -> View:
    """Return the page that says what went wrong.

    Args:
        title: What one cannot have.
        error: Why, if that is to be said.
        status: The status of the answer.
        back: A link to where one can go on.
    """
    lines: list[Content] = [element("h1", title)]
    if error is not None:
        lines.append(element("p", f"{error.message[:1].upper()}{error.message[1:]}."))
        lines += [element("pre", way, class_="command") for way in error.ways_out]
    lines.append(back and element("p", back))
    sections = {"problem": element("section", lines, id="problem", class_="problem")}
    return View(title=title, sections=sections, icon="bad", status=status)


class Pages:
    """Renders the pages of a journal.

    Args:
        session: The call that serves them.
        journal: The journal.
        commands: What was started from the page.
        root: The path below which the pages are.
        allow_changes: Whether runs can be resumed and rolled back from a page.
    """

    def __init__(
        self,
        session: Session,
        journal: SharedJournal,
        commands: CommandLine,
        root: str,
        *,
        allow_changes: bool,
    ) -> None:
        self._session = session
        self._journal = journal
        self._commands = commands
        self._root = root
        self._allow_changes = allow_changes
        context = click.get_current_context(silent=True)
        self._params = {} if context is None else dict(context.params)

    def view(self, address: str) -> View:
        """Return the page at an address: the path below the root, and the query."""
        parts = urlsplit(address)
        query = parse_qs(parts.query)
        try:
            with self._call():
                return self._found(parts.path.strip("/").split("/"), query)
        except NotFoundError as error:
            return problem_view("Not found", error, status=404)
        except HandrailError as error:
            return problem_view("This cannot be shown", error, status=500)

    def _found(self, path: list[str], query: Mapping[str, list[str]]) -> View:
        match path:
            case [""]:
                return self._runs(query)
            case ["runs", number]:
                return self._run(number)
            case ["compare"]:
                return self._compare(query.get("run", []))
            case _:
                raise NotFoundError("there is no such page")

    def _call(self) -> click.Context:
        """Return a context for this thread, with which commands name the journal of this call."""
        context = click.Context(click.Command("web"), obj=self._session)
        context.params = self._params
        return context

    def link(self, number: int) -> str:
        """Return the address of a run."""
        return f"{self._root}/runs/{number}"

    def stamp(self) -> str | None:
        """Return a text that changes whenever a page may have changed; None if it is unknown."""
        try:
            return self._journal.stamp()
        except HandrailError:
            return None

    def would(self, text: str) -> Mapping[str, str]:
        """Return what would be done by each way to go on with a run: `finish`, `undo`, `again`.

        Args:
            text: The number of the run.

        Raises:
            NotFoundError: There is no such run.
            JournalError: The journal cannot be used.
        """
        with self._call(), self._journal.reading() as journal:
            number = number_in(journal, text)
            shown: Mapping[str, Any] = report_of(self._session, journal, [number]).whole()
        return cast("Mapping[str, str]", shown["run"]["would"])

    def _runs(self, query: Mapping[str, list[str]]) -> View:
        search = Search.of(query)
        page, shown = self._found_runs(search)
        rows: Sequence[Mapping[str, Any]] = shown["runs"]
        return View(
            title="runs",
            sections={
                # Where there is nothing yet, there is nothing to search.
                **({"search": search.form(self._root, page)} if rows or search.is_given else {}),
                "list": self._list(shown, page, search),
            },
            moves=any(each["held"] for each in rows),
        )

    def _found_runs(self, search: Search) -> tuple[RunPage, Mapping[str, Any]]:
        """Return a page of runs, and the same as JSON; none where there is no journal yet."""
        try:
            with self._journal.reading() as journal:
                page = search.run(journal)
                return page, runs_to_dict(journal, page.rows)
        except NotFoundError:
            return RunPage(rows=[], count=0, actions=[]), {"runs": []}

    def _list(self, shown: Mapping[str, Any], page: RunPage, search: Search) -> Markup:
        if not page.rows:
            return element("section", _nothing(search), id="list")
        compare = element("button", "Compare those chosen", type="submit")
        tables = runs_sections(shown, link=self.link, choose=True)
        return element(
            "form",
            list(tables.values()),
            element("div", search.paging(self._root, page), compare, class_="below"),
            id="list",
            action=f"{self._root}/compare",
        )

    def _run(self, text: str) -> View:
        with self._journal.reading() as journal:
            number = number_in(journal, text)
            shown: Mapping[str, Any] = report_of(self._session, journal, [number]).whole()
        run: Mapping[str, Any] = shown["run"]
        make = sweep_sections if "sweep" in shown else run_sections
        sections = dict(make(shown, link=self.link))
        mine = {"work": self._work(str(run["id"])), "changes": self._changes(run)}
        first = next(iter(sections), "")
        ordered = {
            first: sections.pop(first, Markup()),
            **{name: markup for name, markup in mine.items() if markup},
            **sections,
        }
        icon = icon_of(run["state"])
        return View(
            title=f"{icon.glyph} run {run['id']} {run['state']}: {run['action']}",
            sections=ordered,
            icon=icon.name,
            moves=bool(run["held"]),
        )

    def _changes(self, run: Mapping[str, Any]) -> Markup | None:
        """Return the links to what can be done with a run now."""
        if not self._allow_changes:
            return None
        words = {"finish": "Resume...", "undo": "Undo...", "again": "Undo what is left..."}
        aims = {"finish": "resume", "undo": "rollback", "again": "rollback"}
        links = [
            element("a", words[each], href=f"{self.link(run['id'])}/{aims[each]}", class_="button")
            for each in run["ways"]
            # A run that is stalled can be taken from its process, after a question.
            if each in words and run["state"] != "running"
        ]
        return element("nav", links, id="changes", aria_label="What can be done") if links else None

    def _work(self, number: str) -> Markup | None:
        """Return what was last started for a run from the page."""
        work = self._commands.started(number)
        if work is None:
            return None
        code, output = work.code, ""
        if code is None:
            said = "was started here, and is at work"
        elif code == 0:
            said = "was started here, and is done"
        else:
            said, output = f"was started here, and ended with exit code {code}", work.output()
        return element(
            "section",
            element("p", element("code", work.shown, class_="command"), f" {said}."),
            element("pre", output) if output else None,
            id="work",
            class_="notice" if code is None or code == 0 else "notice bad",
        )

    def _compare(self, texts: Sequence[str]) -> View:
        if not 2 <= len(set(texts)) <= _COMPARED:
            raise NotFoundError(f"choose 2 to {_COMPARED} runs to compare")
        with self._journal.reading() as journal:
            numbers = [number_in(journal, text) for text in dict.fromkeys(texts)]
            shown: Mapping[str, Any] = report_of(self._session, journal, numbers).whole()
        listed = ", ".join(map(str, numbers))
        return View(title=f"compare {listed}", sections=compare_sections(shown, link=self.link))


def _nothing(search: Search) -> Content:
    if search.is_given:
        return element("p", "No run fits.")
    return [
        element("h1", "No runs yet"),
        element("p", "This makes one:"),
        element("pre", "handrail run ACTION", class_="command"),
    ]


@frozen
class Search:
    """Which runs are listed.

    Attributes:
        text: A text in them.
        action: Their action.
        outcome: Their outcome.
        before: The number below which the page begins.
    """

    text: str = ""
    action: str = ""
    outcome: str = ""
    before: int | None = None

    @classmethod
    def of(cls, query: Mapping[str, list[str]]) -> Search:
        """Return what a query asks for; what has no meaning is left out."""
        text, action, outcome, before = (
            query.get(name, [""])[0].strip() for name in ("text", "action", "outcome", "before")
        )
        return cls(
            text=text[:200],
            action=action,
            outcome=outcome if outcome in _OUTCOMES else "",
            before=int(before) if before.isdecimal() and len(before) < 18 else None,
        )

    @property
    def is_given(self) -> bool:
        """Whether it asks for less than all runs."""
        return bool(self.text or self.action or self.outcome or self.before)

    def run(self, journal: Journal) -> RunPage:
        """Return the page of runs."""
        outcome = cast("Outcome", self.outcome) if self.outcome else None
        return journal.find_runs(
            text=self.text or None,
            action=self.action or None,
            outcome=outcome,
            before=self.before,
            limit=ROWS,
        )

    def form(self, root: str, page: RunPage) -> Markup:
        """Return the form with which one searches."""
        actions = [_option(name, name, self.action) for name in page.actions]
        outcomes = [_option(name, words, self.outcome) for name, words in _OUTCOMES.items()]
        text = element(
            "input",
            type="search",
            name="text",
            value=self.text or None,
            placeholder="action, project, params, number",
            maxlength=200,
        )
        return element(
            "form",
            element("h1", "Runs", class_="unseen"),
            element("label", element("span", "Search"), text),
            element("label", element("span", "Action"), _select("action", "all actions", actions)),
            element("label", element("span", "State"), _select("outcome", "all states", outcomes)),
            element("button", "Search", type="submit"),
            element("a", "Show all", href=f"{root}/") if self.is_given else None,
            id="search",
            role="search",
            action=f"{root}/",
        )

    def paging(self, root: str, page: RunPage) -> Markup:
        """Return how many runs fit, and the links to others."""
        kept = {"text": self.text, "action": self.action, "outcome": self.outcome}
        kept = {name: value for name, value in kept.items() if value}

        def link(words: str, **more: object) -> Markup:
            query = urlencode({**kept, **more})
            return element("a", words, href=f"{root}/{'?' if query else ''}{query}")

        older = len(page.rows) == ROWS
        runs = f"{page.count:,} run{'s' * (page.count != 1)}"
        return element(
            "p",
            element("span", f"{len(page.rows)} of {runs}", class_="muted"),
            link("Latest") if self.before else None,
            link("Older", before=page.rows[-1].number) if older else None,
            class_="paging",
        )


def _option(value: str, words: str, chosen: str) -> Markup:
    return element("option", words, value=value, selected=value == chosen)


def _select(name: str, every: str, options: Sequence[Markup]) -> Markup:
    return element("select", element("option", every, value=""), options, name=name)
