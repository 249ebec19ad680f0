"""Metadata in the usual form are read as the library reads them; others are left to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import importlib_metadata
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import handrail
from handrail.packs.metadata import described, plain, unmet_range

METADATA = """\
Metadata-Version: 2.4
Name: Acme_Scan
Version: 1.4.0
Summary: Scans files, é too
Requires-Dist: handrail>=0.1
Requires-Dist: extra; extra == "more"
License: one
  of many lines
Description-Content-Type: text/markdown

# Title

Name: not this
"""
POINTS = """\
# A comment
[handrail.packs]
acme-scan = acme_scan.hooks

[handrail.steps]
scan = acme_scan.steps:Scan.one
[other]
x = y:z
"""

LINES = st.sampled_from(
    [
        *METADATA.splitlines(),
        *("name: other", "NAME: x", "Name:", "Name:  two", "Name: tail ", "Summary: UNKNOWN"),
        *("  Name: folded", "\tmore", "no header", "Summary: =?utf-8?q?x?=", "Version: 1\r"),
        *("Requires-Dist: a\x0bb", "requires-dist: b", "Keywords:", ":", " ", "X-Y: z"),
    ]
)
PARTS = st.sampled_from(
    [
        *POINTS.splitlines(),
        *("a=b", " a = b", "a = b:c [d]", "a b = c", "a = b # c", "= x", "x =", "x", "[ g ]"),
        *("[handrail.actions]", "[g", "a = b = c", "a = é.b", "a = b\r", ";x", "a : b"),
    ]
)


def described_as(folder: Path, distribution: object) -> object:
    return described(distribution, "given", "0", str(folder))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(LINES, max_size=9) | st.just(METADATA.splitlines()),
    st.lists(PARTS, max_size=7) | st.just(POINTS.splitlines()),
)
def test_any_metadata_is_read_as_the_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, metadata: list[str], points: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("site")
    place = folder / "acme_scan-1.4.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_bytes("\n".join(metadata).encode())
    (place / "entry_points.txt").write_bytes("\n".join(points).encode())
    found = plain(str(place))
    if found is not None:
        assert described_as(folder, found) == described_as(
            folder, importlib_metadata.Distribution.at(place)
        )
    shutil.rmtree(folder)


def test_the_usual_form_is_read_without_the_library(tmp_path: Path) -> None:
    """Else the library would be imported for it."""
    place = tmp_path / "acme_scan-1.4.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(METADATA, encoding="utf-8")
    (place / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    (place / "RECORD").write_text("a,b,1\r\n", encoding="utf-8", newline="")
    found = plain(str(place))
    assert found is not None
    record, faults = described(found, "", "", str(tmp_path))
    assert (record.id, record.version, faults) == ("acme-scan", "1.4.0", [])
    assert [point.name for point in record.entry_points] == ["acme-scan", "scan"]
    assert found.read_text("RECORD") == "a,b,1\n"
    assert found.read_text("top_level.txt") is None


@pytest.mark.parametrize("gone", ["METADATA", "entry_points.txt"])
def test_damaged_metadata_are_left_to_the_library(tmp_path: Path, gone: str) -> None:
    place = tmp_path / "acme_scan-1.4.0.dist-info"
    place.mkdir()
    for name, text in (("METADATA", METADATA), ("entry_points.txt", POINTS)):
        if name != gone:
            (place / name).write_text(text, encoding="utf-8")
    assert plain(str(place)) is None
    (place / gone).write_bytes(b"\xff\n")
    assert plain(str(place)) is None


@pytest.mark.parametrize(
    ("requires", "unmet"),
    [
        ((), ""),
        (("handrail",), ""),
        (("Handrail >=0.1, <0.4",), ""),
        (("handrail<0.2",), "<0.2"),
        (("x>9", "handrail (>=0.4)"), ">=0.4"),
        (("handrail[cli] >= 0.4",), ">=0.4"),
        (("handrail @ https://example.org/handrail.zip",), ""),
        (("handrail>=9; extra == 'dev'",), ""),
        (("handrail>=9; python_version < '3'",), ""),
        (("handrail>=9; python_version > '3'",), ">=9"),
        (("handrail>=0.3; python_version > '3'", "handrail==7.*"), "==7.*"),
        (("handrail-upload>=9", "handrail.upload>=9"), ""),
        (("HANDRAIL~=0.2.0",), "~=0.2.0"),
        (("", ";", "handrail what", "handrail; python", "handrail >= 1; ("), ""),
    ],
)
def test_the_first_range_that_this_core_is_not_in(requires, unmet, monkeypatch):
    """Conditions count, others' names do not, and what cannot be read asks for nothing."""
    monkeypatch.setattr(handrail, "__version__", "0.3.1")
    assert unmet_range(requires) == unmet
