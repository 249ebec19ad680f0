"""The app: which page is at which path, and what each document has around it."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

import handrail
from handrail.cli import Session
from handrail_report import page, script, stylesheet
from handrail_web.changes import AIMS, Changes
from handrail_web.live import Live
from handrail_web.pages import ICONS, TEMPLATES, Pages, View, problem_view
from handrail_web.questions import Questions
from handrail_web.security import Guard

if TYPE_CHECKING:
    from handrail_web.commands import CommandLine
    from handrail_web.pages import SharedJournal
    from handrail_web.security import Door


class Site:
    """What the pages of one call share.

    Args:
        session: The call.
        journal: The journal.
        commands: The command line.
        door: Who is let in.
        allow_changes: Whether runs can be stopped, resumed and rolled back.
    """

    def __init__(
        self,
        *,
        session: Session,
        journal: SharedJournal,
        commands: CommandLine,
        door: Door,
        allow_changes: bool,
    ) -> None:
        self.door = door
        self.journal = journal
        self.commands = commands
        self.allow_changes = allow_changes
        self.pages = Pages(session, journal, commands, door.path, allow_changes=allow_changes)
        self.live = Live(self.pages.view, self.pages.stamp)
        self.questions = Questions(commands, door.path)
        self.changes = Changes(journal, commands, door, self.pages.would)

    def stop(self) -> None:
        """End the streams. It may be called by a signal handler."""
        self.live.stop()

    def close(self) -> None:
        """Close the journal; what was started goes on."""
        self.commands.close()
        self.journal.close()

    async def followed(self, request: Request) -> Response:
        """Answer with a page from the journal, which the script follows."""
        address = request.url.path.removeprefix(self.door.path) or "/"
        query = request.url.query
        address = f"{address}?{query}" if query else address
        view = await to_thread.run_sync(self.pages.view, address)
        return self.document(view, live=address if view.status == 200 else None)

    async def stream(self, request: Request) -> Response:
        """Answer with what changes on a page."""
        address = request.query_params.get("page", "/")
        return StreamingResponse(self.live.events(address), media_type="text/event-stream")

    async def plans(self, _request: Request) -> Response:
        """Answer with the actions that have a plan."""
        return self.document(await self.questions.actions(), part="plans")

    async def plan(self, request: Request) -> Response:
        """Answer with the plan of an action."""
        view = await self.questions.plan(request.path_params["action"])
        return self.document(view, part="plans")

    async def packs(self, _request: Request) -> Response:
        """Answer with the installed packs, and what the doctor says of them."""
        return self.document(await self.questions.packs(), part="packs")

    async def preview(self, request: Request) -> Response:
        """Answer with what a change would do, and ask."""
        number, aim = request.path_params["number"], request.path_params["aim"]
        if aim not in AIMS:
            return self.document(problem_view("There is no such page", None, status=404))
        return self.document(await self.changes.preview(number, aim))

    async def change(self, request: Request) -> Response:
        """Do what was asked for, if the run is still what was seen."""
        number, aim = request.path_params["number"], request.path_params["aim"]
        body = (await request.body()).decode("utf-8", "replace")
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if aim not in AIMS:
            return self.document(problem_view("There is no such page", None, status=404))
        done = await self.changes.start(number, aim, form)
        return self.document(done) if isinstance(done, View) else RedirectResponse(done, 303)

    def document(self, view: View, *, live: str | None = None, part: str = "") -> Response:
        """Return a page as a document."""
        root = self.door.path
        body = TEMPLATES.render(
            "site.html",
            root=root,
            part=part,
            live=live,
            sections=view.sections.values(),
            version=handrail.__version__,
            allow_changes=self.allow_changes,
        )
        document = page(
            f"{view.title} · handrail",
            body,
            stylesheet_at=f"{root}/style.css",
            script_at=f"{root}/page.js",
            icon_at=f"{root}/icon/{view.icon}.svg",
        )
        return Response(document, view.status, media_type="text/html")

    @cached_property
    def styles(self) -> str:
        """The stylesheet: that of reports, and what pages have besides."""
        return f"{stylesheet()}\n{_file('page.css')}"

    @cached_property
    def scripts(self) -> str:
        """The script: that of reports, and what pages have besides."""
        return f"{script()}\n{_file('page.js')}"


def _file(name: str) -> str:
    return files("handrail_web").joinpath(name).read_text(encoding="utf-8")


def make_app(site: Site) -> Guard:
    """Return the app. Without leave for changes it has no route that takes any."""

    async def styles(_request: Request) -> Response:
        return Response(site.styles, media_type="text/css")

    async def scripts(_request: Request) -> Response:
        return Response(site.scripts, media_type="text/javascript")

    async def icon(request: Request) -> Response:
        glyph, colour = ICONS.get(request.path_params["name"], ICONS["handrail"])
        drawn = TEMPLATES.render("icon.svg", glyph=glyph, colour=colour)
        return Response(drawn, media_type="image/svg+xml")

    async def not_found(_request: Request, _error: Exception) -> Response:
        return site.document(problem_view("There is no such page", None, status=404))

    routes = [
        Route("/", site.followed),
        Route("/runs/{number}", site.followed),
        Route("/compare", site.followed),
        Route("/live", site.stream),
        Route("/plans", site.plans),
        Route("/plans/{action:path}", site.plan),
        Route("/packs", site.packs),
        Route("/style.css", styles),
        Route("/page.js", scripts),
        Route("/icon/{name}.svg", icon),
    ]
    if site.allow_changes:
        routes += [
            Route("/runs/{number}/{aim}", site.preview),
            Route("/runs/{number}/{aim}", site.change, methods=["POST"]),
        ]
    app = Starlette(
        routes=[Mount(site.door.path, routes=routes)],
        exception_handlers={404: not_found},
    )
    return Guard(app, site.door)
