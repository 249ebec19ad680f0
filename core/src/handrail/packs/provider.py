"""The provider for packs passed as an argument, such as `packs=(my_hooks,)` in a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import PackError
from handrail.origin import Origin
from handrail.packs.catalog import Catalog, InstalledExecutors
from handrail.packs.pack_provider import PackProvider
from handrail.packs.record import normalised
from handrail.plan.rules import PlanRules

if TYPE_CHECKING:
    from handrail.packs.loader import LoadedPack


class ExplicitPacks(PackProvider):
    """Provides packs passed as an argument; installed packs and the project are ignored."""

    def __init__(self, packs: Sequence[LoadedPack], grants: Mapping[str, frozenset[str]]) -> None:
        self._packs = tuple(packs)
        self._grants = grants

    def rules(self) -> PlanRules:
        """Return the changes that are granted."""
        return PlanRules(grants=self._grants)

    @property
    def executors(self) -> InstalledExecutors:
        """Those of the installed packs, if the program names one; none is the default."""

        def catalog() -> Catalog:
            # It reads all metadata, which most programs with packs of their own never need.
            from handrail.packs.installed import installed_packs  # noqa: PLC0415

            return installed_packs().catalog

        return InstalledExecutors(catalog)

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return the packs."""
        return self._packs

    def performing(self, *, given: bool = False) -> list[LoadedPack]:
        """Return those among the packs, and those that are installed and bring executors."""
        own = [pack for pack in self._packs if pack.implements("perform")]
        if given:
            return own
        from handrail.packs.installed import installed_packs  # noqa: PLC0415 - as above
        from handrail.packs.loader import load  # noqa: PLC0415 - slow to import

        packs = installed_packs()
        loaded = [
            load(record, packs.configuration.table(record))
            for record in packs.records
            if record.is_used and record.hooks and record.offered("executors")
        ]
        return [*own, *(pack for pack in loaded if pack.implements("perform"))]

    def origin_of(self, module: str) -> Origin:
        """Return the pack whose hooks `module` has; otherwise the module alone."""
        for pack in self._packs:
            if pack.origin.module and pack.origin.module == module:
                return pack.origin
        return Origin(module=module)


Packs = PackProvider | Sequence[object] | None


def provider_of(packs: Packs) -> PackProvider:
    """Return `packs` if it is a provider, or a provider for the given or the installed packs.

    Raises:
        PackError: `packs` is not a sequence, or one of its modules has no hooks.
    """
    given = cast("object", packs)
    if hasattr(given, "contributors"):
        return cast("PackProvider", given)
    if given is None:
        # As above.
        from handrail.packs.installed import installed_packs  # noqa: PLC0415

        return installed_packs()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise PackError(
            f"packs takes a sequence of hook modules, not {given!r}",
            ways_out=("packs=(my_hooks,) for some, packs=() for none",),
        )
    listed = list(cast("Sequence[object]", given))
    provider = explicit_packs(listed)
    for each, pack in zip(listed, provider.contributors(), strict=True):
        if not pack.hooks and not pack.implements("pack_info"):
            raise PackError(
                f"{getattr(each, '__name__', repr(each))} in packs has no hooks",
                ways_out=("give the module with the functions that are marked with @hookimpl",),
            )
    return provider


def explicit_packs(
    packs: Iterable[object], *, grants: Mapping[str, Iterable[str]] | None = None
) -> ExplicitPacks:
    """Return a provider of exactly these packs.

    Args:
        packs: Modules or objects with hooks, or loaded packs.
        grants: The edits that each may make to steps of other packs, as in the settings.

    Raises:
        PackError: A hook is not valid.
    """
    from handrail.packs.loader import LoadedPack, load_inline  # noqa: PLC0415 - slow to import

    loaded = [each if isinstance(each, LoadedPack) else load_inline(each) for each in packs]
    granted = {normalised(pack): frozenset(each) for pack, each in (grants or {}).items()}
    return ExplicitPacks(loaded, granted)


def with_settings(hooks: object, settings: Mapping[str, Any]) -> object:
    """Return a module or an object with hooks, loaded with settings, for `packs=(...)`.

    Args:
        hooks: The module or object.
        settings: Its settings by key, as in `[packs.NAME]` of a project file.

    Raises:
        PackError: A hook is not valid.
        SettingsError: The settings do not match the pack's model.
    """
    from handrail.packs.loader import load_inline  # noqa: PLC0415 - slow to import

    return load_inline(hooks, settings=settings)
