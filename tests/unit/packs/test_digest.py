"""The digest of a RECORD: changed by other files, not by how and where they were installed."""

from __future__ import annotations

import json

from handrail.builtin.project.digest import record_digest
from handrail.packs.discovery import read_packs

FILES = ["acme_scan/__init__.py,sha256=aa,10", "acme_scan-1.4.0.dist-info/METADATA,sha256=bb,20"]


def digest(garden, plant, rows):
    plant.record.write_text("\n".join(rows) + "\n")
    (record,) = read_packs(garden.path)
    return record_digest(record)


def test_what_differs_between_machines_does_not_count(garden):
    """Order, compiled files, scripts with the path of an interpreter, notes of the installer."""
    plant = garden.plant()
    plain = digest(garden, plant, FILES)
    assert plain.startswith("sha256:")
    notes = [f"acme_scan-1.4.0.dist-info/{name},sha256=cc,1" for name in ("INSTALLER", "REQUESTED")]
    more = ["../../../bin/scan,sha256=dd,9", "acme_scan/__pycache__/x.cpython-312.pyc,,", *notes]
    assert digest(garden, plant, [*more, *reversed(FILES)]) == plain


def test_another_file_or_another_hash_counts(garden):
    """Under the same name and version."""
    plant = garden.plant()
    plain = digest(garden, plant, FILES)
    assert digest(garden, plant, [FILES[0].replace("aa", "ab"), FILES[1]]) != plain
    assert digest(garden, plant, [*FILES, "acme_scan/more.py,sha256=ee,1"]) != plain


def test_of_an_editable_install_nothing_is_known(garden):
    """Its RECORD does not name its sources, so a digest would promise too much."""
    plant = garden.plant()
    (plant.info / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}}))
    assert digest(garden, plant, FILES) == "editable"
    (plant.info / "direct_url.json").write_text("{")
    assert digest(garden, plant, FILES).startswith("sha256:")


def test_without_a_record_it_is_missing(garden):
    """As with packages of a system that removes it."""
    plant = garden.plant()
    (record,) = read_packs(garden.path)
    plant.record.unlink()
    assert record_digest(record) == "missing"
    plant.uproot()
    assert record_digest(record) == "missing"


def test_a_record_that_cannot_be_read_is_missing(garden):
    """A damaged pack is a difference from the lock, and does not end the command."""
    plant = garden.plant()
    (record,) = read_packs(garden.path)
    plant.record.write_bytes(b"acme_scan/caf\xe9.py,,\n")
    assert record_digest(record) == "missing"
