"""The command `handrail web`: serves the page until it is interrupted."""

from __future__ import annotations

from contextlib import closing

import click

from handrail.cli import Session, echo, journal_option, journal_place, session_journal, session_of
from handrail.errors import NotFoundError

PORT = 8321


@click.command(params=[journal_option()])
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen at this address; any that is not of this machine alone needs --allow-remote.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="N",
    help="Listen at this port; 0 for any that is free.",
)
@click.option(
    "--allow-changes", is_flag=True, help="Let the page stop runs, resume them and roll them back."
)
@click.option("--allow-remote", is_flag=True, help="Let other machines reach the page.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.pass_context
def web(
    ctx: click.Context,
    journal: str | None,
    host: str,
    port: int,
    allow_changes: bool,
    allow_remote: bool,
    opens: bool,
) -> None:
    """Serve a page with the runs of a journal, which follows them live.

    It prints the address of the page, with a token that lets this browser in, and ends with
    Ctrl-C. It only reads, unless --allow-changes is given: then the page can stop runs, resume
    them and roll them back, with a preview and a question. What it starts goes on when the page is
    closed.
    """
    # What the server needs is slow to import, and of no use to the help.
    from handrail_web.app import Site, make_app  # noqa: PLC0415
    from handrail_web.commands import CommandLine  # noqa: PLC0415
    from handrail_web.pages import SharedJournal  # noqa: PLC0415
    from handrail_web.security import Door, own_key  # noqa: PLC0415
    from handrail_web.server import listen, serve  # noqa: PLC0415

    session = session_of(ctx)
    check_journal(session, journal)
    listening, warning = listen(host, port, allow_remote=allow_remote)
    with listening:
        door = Door(own_key(), host)
        site = Site(
            session=session,
            journal=SharedJournal(lambda: session_journal(session, journal)),
            commands=CommandLine(flags_of(session), journal_place(session, journal)),
            door=door,
            allow_changes=allow_changes,
        )
        address = door.address(listening)
        if warning:
            echo(f"warning: {warning}", err=True)
        what = (
            "it may stop runs, resume them and roll them back" if allow_changes else "it only reads"
        )
        # On a line of its own, which is never broken, so that it can be followed and copied.
        session.console.print(address)
        session.console.flush()
        echo(f"open this address; {what}; Ctrl-C ends it", err=True)
        if opens:
            import webbrowser  # noqa: PLC0415 - seldom

            webbrowser.open(address)
        with closing(site):
            serve(make_app(site), listening, site.stop)


def check_journal(session: Session, journal: str | None) -> None:
    """Check that the journal can be read; a missing file is no error, as a run may make it.

    Raises:
        JournalError: It cannot be used.
        JournalUrlError: It cannot be the location of a journal.
    """
    try:
        session_journal(session, journal).close()
    except NotFoundError:
        if journal:
            raise


def flags_of(session: Session) -> tuple[str, ...]:
    """Return the flags of a call that hold for the calls that the page makes, too."""
    off = tuple(f"--no-pack={name}" for name in session.no_packs)
    only = session.only_packs
    return off if only is None else (*off, f"--only-packs={','.join(only)}")
