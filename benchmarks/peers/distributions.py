"""A thousand installed distributions, of which fifty are packs."""

from __future__ import annotations

from pathlib import Path

DISTRIBUTIONS, PACKS = 1000, 50


def site(folder: Path) -> Path:
    """Return a folder like site-packages with them, made at the first call."""
    made = folder / "site"
    if not made.exists():
        made.mkdir()
        for number in range(DISTRIBUTIONS):
            add(made, number, "handrail.packs" if number < PACKS else "acme.other")
    return made


def add(place: Path, number: int, group: str) -> None:
    """Add one; nobody imports what its entry point names."""
    name = f"acme-{number}"
    info = place / f"acme_{number}-1.0.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata)
    (info / "RECORD").write_text("")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = acme_{number}.hooks\n")
