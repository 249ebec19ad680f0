"""An upload keeps the contract of packs: its undo stays where it worked, whatever is recorded."""

from __future__ import annotations

from typing import Any

from containment import ContainmentContract
from hypothesis import strategies as st


def shaped(names: Any) -> Any:
    """Return values of the shapes that an upload records: names, and catalogues."""
    made = st.just(["file", "tables"]) | st.lists(names, max_size=2)
    return names | st.fixed_dictionaries({"url": names, "made": made, "run": names})


class TestContainment(ContainmentContract):
    kinds = ("stopped",)
    notes = (
        *(("initialize", key) for key in ("target", "mark", "made", "probe", "cleared", "refused")),
        *(("initialize", key) for key in ("manifest", "folders", "catalogue")),
        *(("upload_files", key) for key in ("target", "claim", "claimed", "folders", "rows")),
        ("generate_data_units", "rows"),
    )
    fields = ("manifest_path", "collection")
    names = (
        *("<run>", "../<run>", "<run>.0123456789abcdef", "<run>/upload_files", "../x/upload_files"),
        *(".handrail-probe-<run>", "<home>/beside/decoy.db", "<home>/beside/list.db", "theirs"),
        *("theirs/a.txt", "theirs/../../notes.txt", "a.txt", "b.txt", "sub", "sub/deep/c.txt"),
        *("<home>/work/photos.db", "<home>/work/notes.txt", "<home>/work/src/a.txt"),
        *("<home>/work/store", "<home>/work/store/theirs", "<home>/work/store/out/empty"),
        *("<home>/work/.handrail/uploads", "<home>/work/.handrail/uploads/<run>.db"),
        *("sqlite:///<home>/beside/decoy.db", "postgresql://h/d"),
    )
    elsewhere = (
        (("initialize", "manifest"), "<home>/beside/secret.txt"),
        (("initialize", "made"), "<home>/beside/empty"),
        (("initialize", "catalogue"), {"url": "<home>/beside/decoy.db", "run": "<run>"}),
        (("upload_files", "folders"), "<home>/beside/empty"),
    )
    previews = (("stopped", ("2 objects deleted (39 B)", "1 put back", "3 units removed from")),)
    shaped = staticmethod(shaped)
