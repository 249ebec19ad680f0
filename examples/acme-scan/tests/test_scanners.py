"""The scanners find the test file wherever it is, and say so when they cannot scan."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from acme_scan import scanner, signatures
from acme_scan.clamd import Clamd
from acme_scan.scanner import ScanError, Scanner, scanner_for
from acme_scan.settings import ScanSettings
from acme_scan.signatures import Signatures, eicar

LIMIT = 1 << 20


def test_the_signatures_find_the_test_file_at_any_place(tmp_path: Path, monkeypatch) -> None:
    """Also where it begins in one block and ends in the next, and not in what is nearly it."""
    monkeypatch.setattr(signatures, "BLOCK", 100)
    file = tmp_path / "file"
    for before in (0, 31, 32, 99, 100, 101, 1000):
        file.write_bytes(b"x" * before + eicar() + b"y" * 10)
        assert Signatures().scan(file) == "Eicar-Test-Signature", before
    file.write_bytes(eicar()[:-1] + b"x" * 1000)
    assert Signatures().scan(file) is None


def test_an_unreadable_file_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="cannot be read"):
        Signatures().scan(tmp_path / "gone")


def check(found: Scanner, folder: Path) -> None:
    """Scan what is clean, infected, empty and too large."""
    file = folder / "file"
    for content, expected in (
        (b"", None),
        (b"clean" * 50_000, None),
        (eicar(), "Eicar-Test-Signature"),
        (b"x" * 200_000 + eicar(), "Eicar-Test-Signature"),
    ):
        file.write_bytes(content)
        what = found.scan(file)
        assert (what or "").removesuffix(".UNOFFICIAL") == (expected or ""), len(content)
    file.write_bytes(b"z" * (8 * LIMIT))
    with pytest.raises(ScanError, match="size limit exceeded"):
        found.scan(file)
    with pytest.raises(ScanError, match="cannot be read"):
        found.scan(folder / "gone")


def test_a_server_that_speaks_its_protocol_is_asked(imitation: str, tmp_path: Path) -> None:
    found = Clamd(imitation, timeout=10)
    assert found.name == "Imitation 1.0"
    check(found, tmp_path)


def test_a_real_clamd_is_asked(clamd: str, tmp_path: Path) -> None:
    found = scanner_for(ScanSettings(socket=clamd))
    assert found.name.startswith("ClamAV ")
    check(found, tmp_path)


def test_the_usual_socket_is_found_and_the_signatures_stand_in(
    imitation: str, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scanner, "USUAL_SOCKETS", (str(tmp_path / "gone"), imitation))
    found = scanner_for(ScanSettings())
    is_path = imitation.startswith("/")  # A port cannot be seen from outside.
    assert found.name == ("Imitation 1.0" if is_path else "built-in signatures")
    monkeypatch.setattr(scanner, "USUAL_SOCKETS", ())
    assert scanner_for(ScanSettings()).name == "built-in signatures"
    with pytest.raises(ScanError, match="none of its sockets is there"):
        scanner_for(ScanSettings(scanner="clamd"))


def test_a_scanner_that_is_named_and_does_not_answer_is_an_error(tmp_path: Path) -> None:
    """Nobody who named a scanner gets another one without a word."""
    for address in (str(tmp_path / "gone"), "127.0.0.1:1", "localhost:port"):
        with pytest.raises(ScanError, match="does not answer"):
            scanner_for(ScanSettings(socket=address))


def test_a_scanner_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ScanError, match=r"longer than 0\.05 s"):
            Clamd(address, timeout=0.05)


def test_no_file_of_this_pack_is_itself_a_test_file() -> None:
    """Or the scanner on the machine of whoever installs it would take it away."""
    for file in Path(__file__).parents[1].rglob("*"):
        if file.is_file():
            assert eicar() not in file.read_bytes(), file
