"""The step of this pack: nothing leaves unscanned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acme_scan.scanner import ScanError, Scanner, scanner_for
from acme_scan.settings import ScanSettings
from handrail import BaseStep, HandrailError, StepResult
from handrail_upload.context import UploadContext

if TYPE_CHECKING:
    from handrail_upload import SourceFile

_SHOWN = 20  # Infected files that are told one by one.


class InfectedError(HandrailError, RuntimeError):
    """Files that were to be uploaded are infected.

    Attributes:
        infected: One `(file, what was found)` for each.
    """

    code = "scan-infected"

    def __init__(self, infected: list[tuple[str, str]]) -> None:
        name, found = infected[0]
        more = f", and {len(infected) - 1:,} more" if len(infected) > 1 else ""
        super().__init__(
            f"{name} is infected: {found}{more}",
            ways_out=(
                "remove or exclude what is infected, and upload again",
                'leave out their data units:  [packs.acme-scan]  on_found = "skip"',
            ),
        )
        self.infected = tuple(infected)


class ScanFiles(BaseStep[UploadContext]):
    """Refuse infected files before they leave.

    Args:
        settings: How to scan; the defaults unless given.
    """

    name = "scan_files"
    progress_weight = 0.10
    effects = False
    final = True  # Another pack that took it out would take the promise with it.

    def __init__(self, settings: ScanSettings | None = None) -> None:
        self.settings = settings or ScanSettings()

    def execute(self, context: UploadContext) -> StepResult:
        scanner = scanner_for(self.settings)
        manifest = context.use_manifest()
        total = manifest.count("found")
        infected: list[tuple[str, str]] = []
        units: set[str] = set()
        for number, file in enumerate(manifest.files("found"), 1):
            found = self._scan(scanner, file)
            if found is not None:
                infected.append((file.name, found))
                units.add(file.unit)
                if len(infected) <= _SHOWN:
                    context.log("infected_file", {"summary": found}, file.name)
            context.set_progress(number, total)
        if infected and self.settings.on_found == "fail":
            raise InfectedError(infected)
        left_out = 0
        for each in list(_in_units(manifest.files("found"), units)) if units else ():
            manifest.update([replace(each, state="invalid", problem=f"{each.unit} is infected")])
            left_out += 1
        return StepResult(data=_data(scanner, total, infected, left_out))

    def _scan(self, scanner: Scanner, file: SourceFile) -> str | None:
        if file.size > self.settings.max_size:
            raise ScanError(
                f"{file.name} has {file.size:,} bytes, more than are scanned",
                ways_out=(f"scan larger ones:  [packs.acme-scan]  max_size = {file.size}",),
            )
        return scanner.scan(Path(file.path))


def _in_units(files: Iterator[SourceFile], units: set[str]) -> Iterator[SourceFile]:
    return (file for file in files if file.unit in units)


def _data(
    scanner: Scanner, total: int, infected: list[tuple[str, str]], left_out: int
) -> dict[str, Any]:
    summary = f"{total - len(infected):,} clean ({scanner.name})"
    if infected:
        summary += f", {len(infected):,} infected, {left_out:,} left out"
    return {
        "summary": summary,
        "scanner": scanner.name,
        "scanned": total,
        "infected": [{"file": name, "found": found} for name, found in infected[:_SHOWN]],
        "left_out": left_out,
    }
