"""What a catalogue tells of a run that was killed on its way, and how it waits for its servant."""

from __future__ import annotations

import pytest

from handrail_upload.catalogue import Published, open_catalogue
from handrail_upload.errors import CatalogueError


def test_a_run_goes_on_behind_the_last_unit_that_it_has_staged(catalogue, tools):
    """Those of other runs and collections do not count."""
    assert catalogue.progress_of("one", "photos") == (None, "")
    catalogue.stage("one", "photos", [tools.unit("a"), tools.unit("b")])
    catalogue.stage("one", "others", [tools.unit("y")])
    catalogue.stage("two", "photos", [tools.unit("z")])
    assert catalogue.progress_of("one", "photos") == (None, "b")


def test_what_was_published_is_told_with_its_counts(catalogue, tools):
    """So a run that goes on need not publish again, and tells the same."""
    catalogue.stage("one", "photos", [tools.unit("a"), tools.unit("b")])
    catalogue.publish("one", "photos")
    units = [tools.unit("a", tools.file(content="new")), tools.unit("b"), tools.unit("c")]
    catalogue.stage("two", "photos", units)
    counts = catalogue.publish("two", "photos")
    assert (counts.units_added, counts.units_changed) == (1, 1)
    told = Published(units_added=1, units_changed=1, files_added=1, files_changed=1)
    assert catalogue.progress_of("two", "photos") == (told, "")


@pytest.mark.parametrize("new_url", ["postgres"], indirect=True)
def test_a_server_that_is_still_at_work_for_a_killed_process_is_waited_for(catalogue, url, tools):
    """Else its commit could come after the undo had looked."""
    dead = catalogue._database
    with dead.transaction():
        dead.lock_run("one")
        with open_catalogue(url, timeout=1) as other:
            for call in (other.remove, lambda run: other.progress_of(run, "photos")):
                with pytest.raises(CatalogueError, match="is locked"):
                    call("one")
            assert other.progress_of("two", "photos") == (None, "")
