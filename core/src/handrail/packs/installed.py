"""The packs that planning uses: installed ones under the settings, or those a test gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import handrail
from handrail.errors import PackError, Problem, SettingsError
from handrail.origin import Origin
from handrail.packs.catalog import Catalog
from handrail.packs.index import read_index
from handrail.packs.policy import CORE, decide
from handrail.packs.record import PackRecord
from handrail.settings.load import read_settings, settings_error
from handrail.settings.names import normalised
from handrail.settings.values import Flags, Settings

if TYPE_CHECKING:
    from handrail.events import Event
    from handrail.packs.loaded import LoadedPack

Observer = Callable[["Event"], None]


class InstalledPacks:
    """Every installed pack, whether it is used, and, once they are asked for, the loaded ones.

    Nothing is imported but by `contributors`, `observers`, `check` and `catalog.load`.

    Attributes:
        settings: What applies.
        records: Every pack with its status, those that are used first, then by id.
        catalog: The names that they offer.
        settings_problems: What is wrong with the settings; planning stops at these.
        warnings: Names in the settings that no installed pack has; these stop nothing.
        problems: What is wrong with packs that are used all the same.
    """

    def __init__(
        self,
        settings: Settings,
        records: Iterable[PackRecord],
        settings_problems: Sequence[Problem] = (),
    ) -> None:
        decision = decide(records, settings, handrail.__version__)
        self.settings = settings
        self.records = decision.records
        self.catalog = Catalog(decision.records)
        self.settings_problems = (*settings_problems, *decision.errors)
        self.warnings = decision.warnings
        self.problems = tuple(
            problem for record in decision.records if record.is_used for problem in record.problems
        )
        self._contributors: tuple[LoadedPack, ...] | None = None

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """What each pack may do to the steps of others."""
        return {
            self._id_of(name): frozenset(grant.value for grant in grants)
            for name, grants in self.settings.grants.items()
        }

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return every pack that is used and has hooks, loaded once, in the order of their ids.

        Raises:
            SettingsError: The settings cannot be used, those of packs included.
            PackError: Packs are broken or do not fit this core; it names all of them.
        """
        if self._contributors is None:
            if self.settings_problems:
                raise settings_error(self.settings_problems)
            loaded, errors = self._load()
            unusable = [
                PackError(f"{record.origin} {_is(record)}", problems=record.problems)
                for record in self.records
                if record.status in ("broken", "incompatible")
            ]
            if errors or unusable:
                raise _joined([*unusable, *errors])
            self._contributors = loaded
        return self._contributors

    def check(self) -> tuple[Problem, ...]:
        """Load every pack that is used, one by one; return everything that is wrong with packs.

        Also imports the actions, steps and commands that they offer.
        """
        # The hook machinery is not needed before.
        from handrail.packs.loader import import_target  # noqa: PLC0415

        problems = [
            problem
            for record in self.records
            if record.status != "off"
            for problem in record.problems
        ]
        for error in self._load()[1]:
            problems += _problems_of(error)
        for record in self.records:
            if record.is_used:
                for entry in (*record.actions, *record.steps, *record.commands):
                    try:
                        import_target(record, entry)
                    except PackError as error:
                        problems += _problems_of(error)
        return tuple(dict.fromkeys(problems))

    def observers(self) -> list[Observer]:
        """Return one callable for each pack that observes runs.

        Raises:
            PackError, SettingsError: As for `contributors`.
        """
        return [_observer(pack) for pack in self.contributors() if pack.implements("observe")]

    def origin_of(self, module: str) -> Origin:
        """Return the installed pack that owns a dotted `module`, else just the module."""
        name = module
        while name:
            owners = self._owners.get(name, ())
            if len(owners) == 1:
                owner = owners[0]
                return Origin(pack=owner.id, version=owner.version, module=module)
            name = name.rpartition(".")[0]
        return Origin(module=module)

    @cached_property
    def _owners(self) -> dict[str, list[PackRecord]]:
        owners: dict[str, list[PackRecord]] = {}
        for record in self.records:
            for package in record.packages:
                owners.setdefault(package, []).append(record)
        return owners

    def _id_of(self, name: str) -> str:
        record = self.catalog.pack(name)
        return record.id if record is not None else normalised(name)

    def _load(self) -> tuple[tuple[LoadedPack, ...], list[PackError | SettingsError]]:
        hooked = [record for record in self.records if record.is_used and record.hooks]
        if not hooked:
            return (), []
        # pluggy is not needed to list packs, nor where none has hooks.
        from handrail.packs.loader import load  # noqa: PLC0415
        from handrail.packs.manager import new_manager  # noqa: PLC0415

        manager = new_manager()
        loaded: list[LoadedPack] = []
        errors: list[PackError | SettingsError] = []
        for record in sorted(hooked, key=lambda each: each.id):
            try:
                loaded.append(load(record, self.settings, manager))
            except (PackError, SettingsError) as error:
                errors.append(error)
        return tuple(loaded), errors


class GivenPacks:
    """Packs that were passed in, such as `packs=(my_hooks,)` in a test; nothing installed counts.

    Attributes:
        grants: What each pack may do to the steps of others.
    """

    def __init__(self, packs: Sequence[LoadedPack], grants: Mapping[str, frozenset[str]]) -> None:
        self._packs = tuple(packs)
        self.grants = grants

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return the packs."""
        return self._packs

    def observers(self) -> list[Observer]:
        """Return one callable for each pack that observes runs."""
        return [_observer(pack) for pack in self._packs if pack.implements("observe")]

    def origin_of(self, module: str) -> Origin:
        """Return the pack that `module` holds the hooks of, else just the module."""
        for pack in self._packs:
            if pack.origin.module and pack.origin.module == module:
                return pack.origin
        return Origin(module=module)


def installed(
    *,
    start: Path | None = None,
    no_packs: Sequence[str] = (),
    only_packs: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> InstalledPacks:
    """Return the packs installed for this process, under the settings for work in `start`.

    Nothing raises here for settings that cannot be used; they are in `settings_problems`.

    Args:
        start: Folder whose project applies; the working folder by default.
        no_packs: Packs to leave out.
        only_packs: The only packs to use, or None for no such limit.
        environ: Variables; those of this process by default.
    """
    flags = Flags(
        no_packs=tuple(no_packs), only_packs=None if only_packs is None else tuple(only_packs)
    )
    variables = os.environ if environ is None else environ
    settings, problems = read_settings(start or Path.cwd(), variables, flags)
    return InstalledPacks(settings, read_index(), problems)


def given(
    packs: Iterable[object], *, grants: Mapping[str, Iterable[str]] | None = None
) -> GivenPacks:
    """Return a provider of just these packs.

    Args:
        packs: Modules or objects with hooks, or loaded packs.
        grants: What each may do to the steps of others, as in the settings.

    Raises:
        PackError: A hook is wrong.
    """
    from handrail.packs.loaded import LoadedPack  # noqa: PLC0415 - not for listing
    from handrail.packs.loader import load_inline  # noqa: PLC0415 - not for listing

    loaded = [each if isinstance(each, LoadedPack) else load_inline(each) for each in packs]
    granted = {normalised(pack): frozenset(each) for pack, each in (grants or {}).items()}
    return GivenPacks(loaded, granted)


def _observer(pack: LoadedPack) -> Observer:
    def observe(event: Event) -> None:
        pack.call("observe", event=event)

    observe.__qualname__ = f"observe of {pack.origin}"
    return observe


def _is(record: PackRecord) -> str:
    if record.status == "incompatible":
        return f"does not fit this {CORE}: {record.why}"
    return f"is {record.status}: {record.why}"


def _joined(errors: Sequence[PackError | SettingsError]) -> PackError | SettingsError:
    """Return one error for all: that of a pack when there is one, else of the settings."""
    problems = [problem for error in errors for problem in _problems_of(error)]
    broken = [error for error in errors if isinstance(error, PackError)]
    if not broken:
        return settings_error(problems)
    count = "1 pack" if len(broken) == 1 else f"{len(broken)} packs"
    joined = PackError(f"{count} cannot be used; nothing was planned", problems=problems)
    joined.__cause__ = next((error.__cause__ for error in broken if error.__cause__), None)
    return joined


def _problems_of(error: PackError | SettingsError) -> tuple[Problem, ...]:
    if error.problems:
        return error.problems
    place = error.origin.place if error.origin else ""
    return (
        Problem(
            code=error.code,
            message=error.message,
            origins=(error.origin,) if error.origin else (),
            details=(place,) if place else (),
            ways_out=error.ways_out,
        ),
    )
