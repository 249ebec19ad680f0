"""What a scanner is, and which one to use."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Protocol

from acme_scan.settings import ScanSettings
from handrail import HandrailError

# Where Debian and Fedora put it.
USUAL_SOCKETS = ("/run/clamav/clamd.ctl", "/run/clamd.scan/clamd.sock")


class ScanError(HandrailError, RuntimeError):
    """A file could not be scanned, which is no better than one that is infected."""

    code = "scan-failed"


class Scanner(Protocol):
    """Looks into files."""

    @property
    def name(self) -> str:
        """What it is, with its version."""
        ...

    def scan(self, path: Path) -> str | None:
        """Return the name of what was found in a file, or None.

        Raises:
            ScanError: The file could not be scanned.
        """
        ...


def scanner_for(settings: ScanSettings) -> Scanner:
    """Return the scanner that the settings ask for.

    Raises:
        ScanError: They ask for clamd, and it does not answer.
    """
    from acme_scan.clamd import Clamd
    from acme_scan.signatures import Signatures

    address = settings.socket or next(filter(_is_socket, USUAL_SOCKETS), None)
    if settings.scanner == "builtin" or (settings.scanner == "auto" and address is None):
        return Signatures()
    if address is None:
        raise ScanError(
            f"clamd is asked for, and none of its sockets is there: {', '.join(USUAL_SOCKETS)}",
            ways_out=(
                "install it:  apt install clamav-daemon",
                'say where it is:  [packs.acme-scan]  socket = "host:3310"',
            ),
        )
    return Clamd(address, timeout=settings.timeout)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(Path(path).stat().st_mode)
    except OSError:
        return False
