"""The pages that are made from the journal alone, and so can be followed: runs, one run, several.

Each is a value that the server renders as a document, and of which the stream sends the sections
that changed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import click

from handrail.amounts import percent, plural
from handrail.cli import Session, number_in, report_of, runs_to_dict
from handrail.errors import HandrailError, JournalDamagedError, NotFoundError
from handrail.frozen import frozen
from handrail.journal import RunPage
from handrail.records import is_failure, record_of
from handrail_report import Markup, Templates, compare_sections, run_sections, sweep_sections

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail_web.commands import CommandLine

Outcome = Literal["completed", "rolled_back", "rollback_incomplete", "failed", "interrupted"]

TEMPLATES = Templates("handrail_web")
ROWS = 50  # Runs on a page.
_AT_WORK = 20  # Runs in a list of which is told how far they are.
_COMPARED = 10  # Runs side by side.
_ERROR = 200  # Letters of an error in a list.
_OUTCOMES: Mapping[Outcome, str] = {
    "interrupted": "running or interrupted",
    "completed": "completed",
    "failed": "failed (kept)",
    "rolled_back": "rolled back",
    "rollback_incomplete": "rollback incomplete",
}
ICONS: Mapping[str, tuple[str, str]] = {
    "handrail": ("H", "#3d4651"),
    "good": ("✓", "#0f6b33"),
    "bad": ("✗", "#b3261e"),
    "warn": ("!", "#8a5500"),
    "busy": ("▸", "#0b4fb3"),
    "undo": ("↶", "#5b2fa8"),
}
"""What the icons of tabs show, one for each kind of state, and on which ground."""
_STATES: Mapping[str, str] = {
    "completed": "good",
    "rolled back": "undo",
    "rollback incomplete": "bad",
    "failed (kept)": "bad",
    "interrupted": "warn",
    "running": "busy",
    "stalled": "warn",
    "damaged": "bad",
}


class SharedJournal:
    """The journal that all requests read, in turns: anew when another file has taken its place.

    Args:
        open_journal: Opens it, or raises NotFoundError.
    """

    def __init__(self, open_journal: Callable[[], Journal]) -> None:
        self._open_journal = open_journal
        self._turn = threading.Lock()
        self._journal: Journal | None = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def reading(self) -> Generator[Journal]:
        """Return a context manager with the journal, which this thread has for itself.

        Raises:
            NotFoundError: There is none yet.
            JournalError: It cannot be used.
        """
        with self._turn:
            if self._journal is not None and _file_of(self._journal) != self._file:
                self._close()
            if self._journal is None:
                self._journal = self._open_journal()
                self._file = _file_of(self._journal)
            yield self._journal

    def close(self) -> None:
        """Close the journal. Calling it twice is harmless."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _file_of(journal: Journal) -> tuple[int, int] | None:
    """Return the identity of the file of a journal; None if it has no file, or that is gone."""
    try:
        found = os.stat(journal.address)
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
    title: str,
    error: HandrailError | None,
    *,
    status: int,
    back: str | None = None,
    problems: Sequence[Mapping[str, Any]] = (),
) -> View:
    """Return the page that says what went wrong.

    Args:
        title: What one cannot have.
        error: Why, if that is to be said.
        status: The status of the answer.
        back: The address of the run.
        problems: More that is wrong.
    """
    values = {"title": title, "error": error, "back": back, "problems": problems}
    sections = TEMPLATES.sections("problem.html", **values)
    return View(title=title, sections=sections, icon="bad", status=status)


class Pages:
    """Renders the pages of a journal.

    Args:
        session: The call that serves them.
        journal: The journal.
        commands: What was started from the page.
        root: The path below which the pages are.
        allow_changes: Whether runs can be stopped, resumed and rolled back from a page.
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
                return self._runs(Search.of(query))
            case ["runs", number]:
                return self._run(number, asked="asked" in query)
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
            with self._journal.reading() as journal:
                return journal.stamp()
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
        return cast("Mapping[str, str]", self._shown([text])["run"]["would"])

    def _shown(self, texts: Sequence[str]) -> Mapping[str, Any]:
        """Return what `handrail show` shows of runs, as JSON."""
        with self._call(), self._journal.reading() as journal:
            numbers = [number_in(journal, text) for text in texts]
            return report_of(self._session, journal, numbers).whole()

    def _runs(self, search: Search) -> View:
        try:
            with self._journal.reading() as journal:
                page = search.run(journal)
                listed = runs_to_dict(journal, page.rows)["runs"]
                rows = list(_rows(journal, page, cast("Sequence[Mapping[str, Any]]", listed)))
        except NotFoundError:
            page, rows = RunPage(rows=[], count=0, actions=[]), []
        sections = TEMPLATES.sections(
            "list.html",
            root=self._root,
            link=self.link,
            search=search,
            runs=rows,
            count=page.count,
            older=page.rows[-1].number if len(rows) == ROWS else None,
            actions=[(name, name) for name in page.actions],
            outcomes=list(_OUTCOMES.items()),
        )
        return View(title="runs", sections=sections, moves=any(each["held"] for each in rows))

    def _run(self, text: str, *, asked: bool) -> View:
        shown = self._shown([text])
        run: Mapping[str, Any] = shown["run"]
        make = sweep_sections if "sweep" in shown else run_sections
        first, *rest = make(_ticking(shown), link=self.link).items()
        mine = TEMPLATES.sections(
            "work.html",
            run=run,
            link=self.link,
            work=self._commands.started(str(run["id"])),
            asked=asked and run["held"],
            aims=list(self._aims(run)),
        )
        icon = _STATES.get(run["state"], "handrail")
        return View(
            title=f"{ICONS[icon][0]} run {run['id']} {run['state']}: {run['action']}",
            sections=dict([first, *mine.items(), *rest]),
            icon=icon,
            moves=bool(run["held"]),
        )

    def _aims(self, run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what can be done with a run now, and what that is called."""
        if not self._allow_changes:
            return
        whole = run["part_of"] is None and run["direction"] == "forward"
        if whole and run["state"] in ("running", "stalled"):
            yield "stop", "Stop"
        # A run that is stalled can be taken from its process, after a question.
        for way in run["ways"] if run["state"] != "running" else ():
            if way == "finish":
                yield "resume", "Resume"
            elif way in ("undo", "again"):
                yield "rollback", "Undo" if way == "undo" else "Undo what is left"

    def _compare(self, texts: Sequence[str]) -> View:
        if not 2 <= len(set(texts)) <= _COMPARED:
            raise NotFoundError(f"choose 2 to {_COMPARED} runs to compare")
        shown = self._shown(list(dict.fromkeys(texts)))
        listed = ", ".join(str(each["run"]["id"]) for each in shown["runs"])
        return View(title=f"compare {listed}", sections=compare_sections(shown, link=self.link))


def _rows(
    journal: Journal, page: RunPage, listed: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the runs of a list, with what one may have to know of each."""
    at_work = [each["id"] for each in listed if each["held"] and each["direction"] == "forward"]
    for run in listed:
        errors = filter(is_failure, page.errors.get(run["id"], ()))
        runs: Mapping[str, int] = run.get("parts") or {}
        counted = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in runs.items())
        notes = (
            f"{plural(sum(runs.values()), 'run')}: {counted}" if runs else "",
            f"left: {_first(run['left'])}" if run["left"] else "",
            f"except {_first(run['not_undone'])}" if run["not_undone"] else "",
            f"relied on by {len(run['relied_on_by'])}" if run["relied_on_by"] else "",
        )
        yield {
            **run,
            "error": next(errors, "").partition("\n")[0][:_ERROR],
            "notes": " · ".join(filter(None, notes)),
            "progress": _progress(journal, run) if run["id"] in at_work[:_AT_WORK] else None,
        }


def _first(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], *["..."] * (len(names) > 3)])


def _progress(journal: Journal, run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return how far a run is, by the weights of its steps, and what it does."""
    try:
        steps = record_of(journal, run["id"]).steps
    except JournalDamagedError:
        return None
    weights = [(step, float(step.planned.get("weight_share", 0.0))) for step in steps]
    done = sum(weight for step, weight in weights if step.state in ("done", "skipped"))
    for step, weight in weights:
        progress = step.progress if step.state == "running" else None
        if progress is not None and progress.total:
            done += weight * min(progress.current / progress.total, 1.0)
    share = min(done / (sum(weight for _, weight in weights) or 1.0), 1.0)
    names = [step.name for step in steps if step.state == "running"]
    return {"share": share, "told": " · ".join([percent(share), *names[:2]])}


def _ticking(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a run in which steps at work have taken the time that they have worked so far."""
    now = datetime.fromisoformat(shown["run"]["now"])
    steps = [
        {**step, "took": (now - datetime.fromisoformat(step["spans"][-1]["began"])).total_seconds()}
        if step["state"] == "running" and step["took"] is None and step["spans"]
        else step
        for step in shown["steps"]
    ]
    return {**shown, "steps": steps}


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

    def query(self, before: int | None = None) -> str:
        """Return the query of an address that asks for the same, from another run on."""
        asked = {"text": self.text, "action": self.action, "outcome": self.outcome}
        query = urlencode(
            {name: each for name, each in {**asked, "before": before}.items() if each}
        )
        return f"?{query}" if query else ""

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
