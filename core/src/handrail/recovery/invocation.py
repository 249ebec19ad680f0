"""The packs, settings, part of the plan and folder that a run was called with, as recorded."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from handrail.errors import NotFoundError
from handrail.frozen import from_json, frozen, replace, values_of
from handrail.journal.damage import check_shape, check_texts, decode, decoding
from handrail.packs.configuration import Selection
from handrail.plan.selection import select
from handrail.recovery.recorded_plan import steps_of
from handrail.redact import has_password, looks_secret
from handrail.trust import distrust

if TYPE_CHECKING:
    from handrail.journal.records import RunRow
    from handrail.plan.plan import Plan


@frozen
class Invocation:
    """The choices that a run was called with.

    Attributes:
        no_packs: Packs that were off by a flag or a variable.
        only_packs: The only packs that were on, or None.
        values: Settings of packs: pack, dotted key and text; none that looks like a secret.
        left_out: Those that do, without their values.
        only: Names of the only steps to run.
        start: Name of the first step to run, or None.
        skip: Names of the steps to leave out.
        no_lock: Whether the lock was left aside.
        secrets: The variables from which packs have read secrets.
        executor: The URL of the executor for items, or None for the default one.
        derived_by: The option that has derived the action of the run from another one: its entry
            point, such as `run.over`.
        derivation: What it needs to derive it again.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None
    values: tuple[tuple[str, str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    start: str | None = None
    skip: tuple[str, ...] = ()
    no_lock: bool = False
    secrets: tuple[str, ...] = ()
    executor: str | None = None
    derived_by: str | None = None
    derivation: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        selection: Selection,
        values: Iterable[tuple[str, str, str]],
        **more: Any,
    ) -> Invocation:
        """Return an invocation, without the values that look like secrets.

        Args:
            selection: The packs that are on or off.
            values: The settings of packs, as pack, dotted key and text.
            **more: Other attributes.
        """
        kept: list[tuple[str, str, str]] = []
        left_out: list[str] = []
        for pack, key, text in values:
            if looks_secret(f"{key} {text}") or has_password(text):
                left_out.append(f"{pack}.{key}")
            else:
                kept.append((pack, key, text))
        chosen = values_of(selection)
        return cls(**chosen, values=tuple(kept), left_out=tuple(left_out), **more)

    def to_json(self) -> str:
        """Return the JSON form."""
        given = {name: each for name, each in values_of(self).items() if each is not None}
        return json.dumps(given, separators=(",", ":"))

    @classmethod
    def of_row(cls, row: RunRow) -> Invocation:
        """Return the recorded invocation of a run; a key that is missing has its default.

        Raises:
            JournalDamagedError: It is not what was written.
        """
        return cls.of_json(row.packs, row.number)

    @classmethod
    def of_json(cls, text: str, number: int) -> Invocation:
        """Return the recorded invocation of the run with a number; see `of_row`."""
        stored: dict[str, Any] = decode(text, dict, number, "its packs")
        with decoding(number, "its packs"):
            return from_json(cls, stored)

    @property
    def selection(self) -> Selection:
        """The packs that were on or off."""
        return Selection(no_packs=self.no_packs, only_packs=self.only_packs)

    def part_of(self, plan: Plan, row: RunRow) -> Plan:
        """Return the part of `plan` that was chosen, as far as its steps are still there.

        Args:
            plan: The whole plan, as it is now.
            row: The run, with the plan that it began with.
        """

        def there(names: Iterable[str]) -> list[str]:
            return [name for name in names if plan.span(name) is not None]

        only = there(self.only)
        if self.only and not only:
            return replace(plan, steps=())
        start = self.start
        if start is not None and not there([start]):
            start = next(iter(there(str(step["name"]) for step in steps_of(row))), None)
        return select(plan, only=only, start=start, skip=there(self.skip))


def stored_params(row: RunRow) -> Mapping[str, Any]:
    """Return the stored params of a run: their `values`, and in `secrets` the variable of each.

    Raises:
        JournalDamagedError: They are not what was written.
    """
    stored: dict[str, Any] = decode(row.params, dict, row.number, "its params")
    if not stored:  # A run of an Orchestrator alone has none.
        return {"values": {}, "secrets": {}}
    with decoding(row.number, "its params"):
        check_shape(stored["values"], dict)
        for texts in (stored["secrets"], stored.get("hidden", {})):
            check_texts((*texts, *texts.values()))
        check_texts(stored.get("json", ()))
    return stored


def enter(row: RunRow, folder: str | os.PathLike[str] | None, way: str) -> None:
    """Make the folder of a run the working folder.

    Args:
        row: The run.
        folder: The folder to use instead, or None.
        way: The way out that names another folder.

    Raises:
        NotFoundError: The folder cannot be entered, or belongs to a user who is not trusted.
    """
    target = row.cwd if folder is None else os.fspath(folder)
    with contextlib.suppress(OSError):
        if os.path.samefile(os.curdir, target):
            return  # Keep its name, which may be shorter, and spare other threads.
    found = None if folder is not None else distrust(target)
    # In a folder that everyone may write, files are checked one by one. Entering a folder of an
    # untrusted user would mean trusting it.
    if found is not None and found.owner:
        raise NotFoundError(
            f"run {row.number} ran in {target}, which belongs to {found.owner} now",
            ways_out=(f"if it should:  {way.replace('PATH', target)}", *found.ways_out),
        )
    try:
        os.chdir(target)
    except OSError as error:
        if folder is not None:
            raise NotFoundError(f"{target} cannot be entered: {error.strerror}") from error
        raise NotFoundError(
            f"run {row.number} ran in {target}, which cannot be entered: {error.strerror}",
            ways_out=(
                "its paths lead from there: put the folder back, then try again",
                f"or name the one that they lead from now:  {way}",
            ),
        ) from error


@contextmanager
def working_in(row: RunRow, folder: str | os.PathLike[str] | None) -> Generator[None, None, None]:
    """Make the folder of a run the working folder for the block.

    Raises:
        NotFoundError: The folder cannot be entered.
    """
    before: str | None = None
    with contextlib.suppress(OSError):  # The previous folder may be gone.
        before = os.getcwd()
    enter(row, folder, "folder=PATH")
    try:
        yield
    finally:
        if before is not None and before != os.getcwd():
            os.chdir(before)
