"""What a catalogue tells of a run that was killed on its way, and how it waits for its servant."""

from __future__ import annotations

import pytest

from handrail_upload.catalogue import Published, open_catalogue
from handrail_upload.errors import CatalogueError


def test_what_was_published_is_told_with_its_counts(catalogue, tools):
    """So a run that goes on need not publish again, and tells the same."""
    assert catalogue.published("one") is None
    tools.publish(catalogue, "one", tools.unit("a"), tools.unit("b"))
    units = [tools.unit("a", tools.file(content="new")), tools.unit("b"), tools.unit("c")]
    counts = tools.publish(catalogue, "two", *units)
    assert counts == Published(units_added=1, units_changed=1, files_added=1, files_changed=1)
    assert catalogue.published("two") == counts
    assert catalogue.published("three") is None


@pytest.mark.parametrize("new_url", ["postgres"], indirect=True)
def test_a_server_that_is_still_at_work_for_a_killed_process_is_waited_for(catalogue, url):
    """Else its commit could come after the undo had looked."""
    dead = catalogue._database
    with dead.transaction():
        dead.lock("run", "one")
        with open_catalogue(url, timeout=1) as other:
            for call in (other.remove, other.published):
                with pytest.raises(CatalogueError, match="is locked"):
                    call("one")
            assert other.published("two") is None
