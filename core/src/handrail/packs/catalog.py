"""The catalog of what packs offer under a name: actions, steps, commands, journals, executors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from handrail.errors import (
    AmbiguousNameError,
    ExecutorError,
    ExecutorUrlError,
    ExitCode,
    JournalUrlError,
    NotFoundError,
    PackError,
)
from handrail.packs.ours import OURS, is_ours
from handrail.packs.record import LOCAL, EntryPoint, Kind, PackRecord, import_target, normalised
from handrail.redact import has_password
from handrail.suggest import did_you_mean, near

# As typed, between the name of a command of core and what packs add to it.
_BETWEEN = {"commands": " ", "options": " --"}
# A name of these cannot say of which pack it is.
_BARE = ("executors", "journals")
_OF_THIS_MACHINE = PROCESSES, THREADS = "processes", "threads"

Offer = tuple[PackRecord, EntryPoint]


class Catalog:
    """What packs offer, by its kind and name, with the packs that offer it.

    Args:
        records: The packs.
        import_own: Imports an object in the files of the project.

    Attributes:
        records: The packs.
    """

    def __init__(
        self,
        records: Iterable[PackRecord],
        import_own: Callable[[PackRecord, EntryPoint], Any] = import_target,
    ) -> None:
        self.records = tuple(records)
        self._import_own = import_own

    def pack(self, name: str) -> PackRecord | None:
        """Return the installed pack called `name` (normalised or not), or None."""
        return next(iter(match_packs(name, self.records)), None)

    def id_of(self, name: str) -> str:
        """Return the id of the pack called `name`, which need not be installed."""
        record = self.pack(name)
        return record.id if record is not None else normalised(name)

    def offers(self, kind: Kind) -> list[Offer]:
        """Return all offers of one kind, including those of disabled or broken packs."""
        return [(record, entry) for record in self.records for entry in record.offered(kind)]

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the offer called `name` or `pack:name`.

        Raises:
            NotFoundError: There is no such offer; ways out suggest similar names or a pack.
            AmbiguousNameError: Several packs offer the name.
            PackError: The pack that offers it is broken or incompatible with this core.
        """
        pack, _, bare = name.rpartition(":")
        same = [offer for offer in self.offers(kind) if offer[1].name == bare]
        if pack:
            named = match_packs(pack, self.records)
            same = [offer for offer in same if offer[0] in named]
        claims = [offer for offer in same if offer[0].status != "off"]
        what = f"{kind[:-1]} {bare}"
        if not claims:
            raise self._missing(kind, pack, bare, [record for record, _ in same])
        if len(claims) > 1:
            owners = " and ".join(str(record.origin) for record, _ in claims)
            names = [f"{record.id}:{bare}" for record, _ in claims]
            ways_out = [f"leave one out:  --no-pack {record.id}" for record, _ in claims]
            raise AmbiguousNameError(
                f"{len(claims)} packs offer the {what}: {owners}",
                ways_out=ways_out if kind in _BARE else ["say which:  " + "  or  ".join(names)],
            )
        record, entry = claims[0]
        if not record.is_used:
            raise PackError(
                f"the {what} is from {record.origin}, which is {record.status}: {record.why}",
                problems=record.problems,
                origin=record.origin,
            )
        return record, entry

    def load(self, kind: Kind, name: str) -> Any:
        """Import and return the object called `name` or `pack:name`.

        Raises:
            NotFoundError: There is no such offer.
            AmbiguousNameError: Several packs offer the name.
            PackError: The pack is broken or cannot be imported; `__cause__` is the error, if any.
            LocalCodeError: A file of the project cannot be imported.
        """
        return self.loaded(self.find(kind, name))

    def loaded(self, offer: Offer) -> Any:
        """Import and return the object of an offer.

        Raises:
            PackError: It cannot be imported; `__cause__` is the error, if any.
            LocalCodeError: A file of the project cannot be imported.
        """
        record, entry = offer
        return (self._import_own if record.is_local else import_target)(record, entry)

    def journal_factory(self, scheme: str) -> Callable[..., Any] | None:
        """Import and return the factory of journals for a URL scheme; None for an unknown one.

        Raises:
            JournalUrlError: The pack that is known for such journals is not installed or not on.
            AmbiguousNameError: Several packs have it.
            PackError: It is broken or cannot be imported.
        """
        names = {entry.name for _, entry in self.offers("journals")}
        if scheme not in {*names, *OURS["journals"]}:
            return None
        try:
            factory: Callable[..., Any] = self.load("journals", scheme)
        except NotFoundError as error:
            message = f"no installed pack provides journals in '{scheme}:'"
            raise JournalUrlError(message, ways_out=error.ways_out) from None
        return factory

    def _missing(
        self, kind: Kind, pack: str, name: str, off: Sequence[PackRecord]
    ) -> NotFoundError:
        what = f"{kind[:-1]} '{name.replace('.', _BETWEEN.get(kind, '.'), 1)}'"
        if off:
            hints = [f"{record.id} has it and is off: {record.why}" for record in off]
            return NotFoundError(
                f"there is no {what} that is on", origin=off[0].origin, ways_out=hints
            )
        ours = OURS.get(kind, {})
        searched = f"searched {sys.prefix} ({sys.executable})"
        record = self.pack(pack) if pack else None
        if record is not None:
            names = [entry.name for entry in record.offered(kind)]
            hints = [did_you_mean(name, names), f"its {kind}: {', '.join(names) or 'none'}"]
            return NotFoundError(
                f"{record.origin} has no {what}", origin=record.origin, ways_out=hints
            )
        if pack:
            hints = [did_you_mean(pack, [each.id for each in self.records])]
            hints += [f"install it:  pip install {pack}"] if is_ours(pack) else []
            message = f"no installed pack is called '{pack}'"
            if pack == LOCAL:
                return NotFoundError(f"this project has no {what}")
            return NotFoundError(message, ways_out=[*hints, searched])
        if kind == "options" and name in ours:
            needed = f"{ours[name]}: pip install {ours[name]}"
            return NotFoundError(f"--{name.partition('.')[2]} needs {needed}")
        usable = [entry.name for record, entry in self.offers(kind) if record.status != "off"]
        matches = () if name in ours else near(name, dict.fromkeys((*usable, *ours)))
        hints = [f"did you mean {' or '.join(matches)}?"] if matches else []
        installed = {each.id for each in self.records}
        missing = [ours[each] for each in (name, *matches) if each in ours]
        hints += [f"install it:  pip install {each}" for each in missing if each not in installed]
        return NotFoundError(f"there is no {what}", ways_out=[*hints, searched])


def match_packs(name: str, records: Iterable[PackRecord]) -> tuple[PackRecord, ...]:
    """Return the packs that match `name`, which may be spelled unnormalised.

    That is the distribution of that name or, if there is none, all packs with a module of hooks of
    that name.
    """
    records = tuple(records)
    wanted = normalised(name)
    named = tuple(record for record in records if record.id == wanted)
    return named or tuple(record for record in records if wanted in map(normalised, record.names))


def default_url() -> str:
    """Return the URL of the executor that is used if none is named."""
    return PROCESSES if hasattr(os, "fork") else THREADS


def kind_of(url: str) -> str:
    """Return the kind of the executor at a URL, without the number of its slots."""
    return url.partition(":")[0]


def is_local(url: str) -> bool:
    """Return whether an executor is one of this machine, which works for any run."""
    return kind_of(url) in _OF_THIS_MACHINE


class InstalledExecutors:
    """Finds the factories of executors.

    Args:
        catalog: Returns what the installed packs offer.
        default: The URL of the executor if none is named; None for that of this machine.
    """

    def __init__(self, catalog: Callable[[], Catalog], default: str | None = None) -> None:
        self.default = default
        self._catalog = catalog

    def with_default(self, default: str | None) -> InstalledExecutors:
        """Return the same with another default, unless that is None."""
        return self if default is None else InstalledExecutors(self._catalog, default)

    def factory(self, url: str) -> Callable[[str, Any], Any]:
        """Return the factory of the executor at a URL; imports only its pack.

        Raises:
            ExecutorUrlError: The URL is not valid; or no pack provides such an executor, or the
                one that does is not on.
            AmbiguousNameError: Several packs offer it.
            PackError: It is broken or cannot be imported.
        """
        name = kind_of(url)
        if has_password(url):
            raise ExecutorUrlError(
                f"the URL of the executor '{name}' has a password in it, and URLs are shown and "
                "recorded",
                ways_out=("leave it out of the URL, and give it in a variable",),
            )
        try:
            factory: Callable[[str, Any], Any] = self._catalog().load("executors", name)
        except NotFoundError as error:
            raise ExecutorUrlError(error.message, ways_out=error.ways_out) from None
        return factory

    def check(self, url: str, journal: str | None) -> None:
        """Check, before a run begins, that an executor can work for it; nothing is started.

        One is made for this.

        Args:
            url: The URL of the executor.
            journal: The URL with which other machines open the journal of the run, or None.

        Raises:
            ExecutorUrlError: The URL is not valid, or there is no such executor.
            ExecutorError: The executor needs something that the run does not have.
            PackError: The pack of the executor is broken.
        """
        factory = self.factory(url)
        try:
            factory(url, _HostToBe(journal))
        except ExecutorError as error:
            vars(error).update(exit_code=ExitCode.USAGE)  # Nothing was begun.
            raise


class _HostToBe:
    """What a run that has not begun offers to an executor, which makes no attempt for it."""

    run = None
    inherited = secrets = ()

    def __init__(self, journal: str | None) -> None:
        self.journal = journal
