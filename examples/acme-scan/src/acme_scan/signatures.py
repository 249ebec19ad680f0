"""A few signatures, for machines without a scanner: they find test files, and little else."""

from __future__ import annotations

from pathlib import Path

from acme_scan.scanner import ScanError

BLOCK = 1 << 20

# In parts that never stand next to each other, or scanners would find this very file.
_EICAR = (
    b"X5O!P%@AP[4",
    b"\\PZX54(P^)7CC)7}",
    b"$EICAR-STANDARD-",
    b"ANTIVIRUS-TEST-",
    b"FILE!$H+H*",
)
_ACME = (b"acme-scan ", b"test ", b"signature ", b"7d1f2e")


def eicar() -> bytes:
    """Return the test file that every scanner finds, as eicar.org defines it."""
    return b"".join(_EICAR)


class Signatures:
    """Looks for a few byte strings."""

    name = "built-in signatures"

    def __init__(self) -> None:
        self._signatures = {
            "Eicar-Test-Signature": eicar(),
            "Acme-Test-Signature": b"".join(_ACME),
        }
        self._overlap = max(map(len, self._signatures.values())) - 1

    def scan(self, path: Path) -> str | None:
        """Return the name of what was found in a file, or None.

        Raises:
            ScanError: The file cannot be read.
        """
        kept = b""
        try:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    seen = kept + block
                    for name, signature in self._signatures.items():
                        if signature in seen:
                            return name
                    kept = seen[-self._overlap :]  # It may begin in one block and end in the next.
        except OSError as error:
            raise ScanError(f"{path} cannot be read: {error.strerror}") from error
        return None
