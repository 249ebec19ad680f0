"""The command `handrail claims`: lists the claims of a target, and undoes one from outside."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import click

from handrail import ExitCode
from handrail.cli import Column, Listing, RunType, Session, echo, says_yes, session_of, takes_json
from handrail.errors import ConfirmationError, NotFoundError
from handrail_storage.access import open_store
from handrail_storage.claims import Claims, ClaimUndone, Preview, claims_at, pruned_at
from handrail_storage.claims.claimed import Claimed, chosen_of, claimed_by
from handrail_storage.claims.errors import check_stays
from handrail_storage.errors import StorageError
from handrail_storage.store import Store
from handrail_storage.texts import age_text, count_text

_SHOWN = 30  # Claims that are in nobody's way, of which a target may have thousands.
_NAMES = ("ACTION", "USER")  # These may be cut.
_HEAD = [
    Column(name=each, cut="end" if each in _NAMES else "")
    for each in ("RUN", "STATE", "ON", "ACTION", "KEYS", "BEGAN", "HEARD OF", "USER")
]


@click.command()
@click.argument("target")
@click.option("--undo", "run", type=RunType(), help="Undo this run, without its journal.")
@click.option("--on", metavar="MACHINE", help="The machine of RUN, if it is another one.")
@click.option("--take-over", is_flag=True, help="Do not wait: its process is known to be dead.")
@click.option("--dry-run", is_flag=True, help="Show what --undo would do, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--all", "everything", is_flag=True, help="List all claims, however many.")
@takes_json
@click.pass_context
def claims(ctx: click.Context, /, target: str, run: str | None, **options: Any) -> int:
    """List which runs use a target, and undo one whose machine or journal is gone.

    TARGET is a folder, or a URL such as s3://bucket/path, as the runs were given it.

    \b
    working        at work, or killed: other runs with the same keys are refused
    relied on      completed: what it relies on stays when others are undone
    wants to undo  looks who is in its way, or killed
    being undone   waits for its undo by this command
    undoing        deletes what nobody else relies on, or killed
    pruned         gone from its journal: what it relies on stays for ever

    RUN is the number of a run of this machine, or of another with --on MACHINE; or a UUID, or a
    part of that which no other has. --undo works from the claim alone, so the journal and the
    catalogue of the run stay as they are. It stops the run, waits until its last sign of life is an
    hour old, then deletes what no other run relies on and puts back what was replaced. It can be
    interrupted and repeated.
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    if run is not None:
        return _undo(session, target, run, options)
    for name in ("on", "take_over", "dry_run", "yes"):
        if options[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --undo RUN")
    return _list(session, target, everything=options["everything"])


def _opened(target: str) -> Store:
    """Return a target.

    Raises:
        NotFoundError: It is a folder that does not exist.
        StorageError: The target or its credentials are malformed.
    """
    store = open_store(target)
    if store.local and not Path(store.address).is_dir():
        raise NotFoundError(f"there is no folder {target}")
    return store


# The list


def _list(session: Session, target: str, *, everything: bool) -> int:
    store = _opened(target)
    claimed, damaged = _claimed(store, target)
    pruned = pruned_at(store)
    blocking = [each for each in claimed if each.blocks]
    others = [each for each in claimed if not each.blocks]
    hidden = 0 if everything else max(0, len(others) - _SHOWN)
    foot = [f"{count_text(len(claimed), 'claim')} at {target}"]
    if hidden:
        foot[0] += f" · the {hidden:,} oldest are not shown (--all)"
    if pruned:
        foot.append("what pruned runs rely on stays, too")
    for each in blocking:
        foot += each.ways()
    for error in damaged:
        foot += [f"damaged: {error.message}", *(f"  {way}" for way in error.ways_out)]
    rows = [each.row() for each in (*blocking, *others[hidden:])]
    session.show(
        Listing(
            json=lambda: {
                "target": target,
                "claims": [each.to_dict() for each in claimed],
                "damaged": [each.to_dict() for each in damaged],
                "pruned": bool(pruned),
            },
            head=_HEAD if rows else (),
            rows=rows,
            foot=foot,
        )
    )
    return ExitCode.FAILED if damaged else ExitCode.DONE


def _claimed(store: Store, target: str) -> tuple[list[Claimed], list[StorageError]]:
    states, damaged = claims_at(store)
    return claimed_by(states, target, time.time()), damaged


# The undo


def _undo(session: Session, target: str, run: str, options: dict[str, Any]) -> int:
    store = _opened(target)
    chosen = chosen_of(run, options["on"], _claimed(store, target)[0], target)
    check_stays(chosen.state, target, chosen.now)
    found = Claims(store, chosen.state.claimant)
    asks = not (options["yes"] or options["dry_run"])
    if asks and not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        raise ConfirmationError(
            f"without a terminal, the undo of {chosen.state.claimant} needs --yes",
            ways_out=(f"see   {chosen.from_here} --dry-run", f"do    {chosen.from_here} --yes"),
        )
    if asks or options["dry_run"]:
        preview = _preview(chosen, found.preview() or _gone(chosen))
        if options["dry_run"]:
            session.show(preview)
            return ExitCode.DONE
        for line in preview.lines():
            echo(line, err=True)
        if not says_yes(session):
            return ExitCode.INTERRUPTED
    _probe(store, chosen)
    undoing = found.free(
        waiting=_waiting(session, chosen), take_over=options["take_over"]
    ) or _gone(chosen)
    store.abort_unfinished(undoing.keys, chosen.state.run)
    undone = undoing.run(late=True, progress=_progress(session))
    one_of_each = {key.rpartition("/")[0]: key for key in undoing.keys}
    store.prune(one_of_each.values())
    session.show(_result(chosen, undone))
    return ExitCode.DONE


def _probe(store: Store, chosen: Claimed) -> None:
    """Find out which conditions the storage honours."""
    key = f".handrail-probe-{uuid4()}"
    mark = f"{chosen.state.run}/claims"
    try:
        store.probe(key, mark)
    finally:
        store.clear_probe(key, mark)


def _gone(chosen: Claimed) -> NoReturn:
    raise NotFoundError(f"{chosen.state.claimant} has no claim at {chosen.target} any more")


def _preview(chosen: Claimed, preview: Preview) -> Listing:
    """Return what an undo would do."""
    state, obstacle = chosen.state, preview.obstacle
    claimant, heard = state.claimant, age_text(chosen.now - state.renewed)
    lines = list(preview.would_be.summary(claimant)) or ["nothing is there any more"]
    foot = [
        f"{claimant}{claimant.details} · {chosen.word} · last heard of {heard} ago",
        *(f"  {line}" for line in lines),
        "  its journal and its catalogue stay as they are",
    ]
    if claimant.host == platform.node() and Path(claimant.journal).is_file() and state.commands:
        foot.append(f"  its journal is here, which undoes more:  {state.commands[-1]}")
    if obstacle is not None:
        foot.append(f"  it would be refused now: {obstacle.message}")
    told = None if obstacle is None else obstacle.to_dict()
    document = {**_document(chosen, preview.would_be), "obstacle": told}
    return Listing(json=lambda: document, foot=foot)


def _result(chosen: Claimed, undone: ClaimUndone) -> Listing:
    """Return what an undo has done."""
    claimant = chosen.state.claimant
    told = ", ".join(undone.summary(claimant)) or "nothing was there any more"
    foot = [f"{claimant} is undone at {chosen.target}: {told}"]
    return Listing(json=lambda: _document(chosen, undone), foot=foot)


def _document(chosen: Claimed, undone: ClaimUndone) -> dict[str, Any]:
    stays = undone.stays.most_common()
    return {
        **chosen.to_dict(),
        "deleted": undone.deleted,
        "restored": undone.restored,
        "foreign": undone.foreign,
        "stays": [{"run": run.run, "name": str(run), "objects": count} for run, count in stays],
    }


class _Line:
    """A line about what goes on: replaced on a terminal, else written now and then.

    Args:
        session: The call, which has the output.
        every: Seconds between two lines, where a line cannot be replaced.
    """

    def __init__(self, session: Session, every: float) -> None:
        self._console = session.console
        self._every = every
        self._next = time.monotonic() + every

    def tell(self, text: str, *, last: bool) -> None:
        """Take the line; where it cannot be replaced, not before some time has passed."""
        if _is_terminal(sys.stderr):
            self._console.redraw(text, last=last)
        elif time.monotonic() >= self._next:
            self._console.note(text)
            self._next = time.monotonic() + self._every


def _waiting(session: Session, chosen: Claimed) -> Callable[[float], None]:
    """Return what tells why and how long the undo waits for the last sign of life to grow old."""
    line: _Line | None = None

    def tell(left: float) -> None:
        nonlocal line
        if line is None:
            session.console.note(
                f"{chosen.state.claimant} is told to stop; should its process still live, it may "
                f"have requests on their way, so this waits: {age_text(left)} left (Ctrl-C loses "
                "nothing)"
            )
            line = _Line(session, 600.0)
        line.tell(f"{age_text(left)} left", last=left <= 10.0)

    return tell


def _progress(session: Session) -> Callable[[int, int], None]:
    """Return what shows how many keys are undone, and how long the others take."""
    line, began = _Line(session, 30.0), time.monotonic()

    def tell(done: int, total: int) -> None:
        taken = time.monotonic() - began
        left = age_text(taken / max(done, 1) * (total - done))
        line.tell(f"{done:,} of {total:,} keys · {left} left", last=done == total)

    return tell


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()
