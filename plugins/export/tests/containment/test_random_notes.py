"""An export keeps the contract of packs: its undo stays where it worked, whatever is recorded."""

from __future__ import annotations

from containment import ContainmentContract


class TestContainment(ContainmentContract):
    kinds = ("folder", "killed", "file", "replacing")
    notes = (
        *(("initialize", key) for key in ("target", "mark", "made", "probe", "cleared", "folders")),
        *(("initialize", key) for key in ("manifest", "staging")),
        ("convert_data", "written"),
        *(("save_files", key) for key in ("target", "claim", "claimed", "folders")),
    )
    fields = ("staging", "manifest_path", "output_path")
    names = (
        *("<run>/save_files", "other/save_files", "<run>", "other", ".handrail-target"),
        *(".handrail-other/x", ".handrail-probe-<run>", ".handrail-probe-other"),
        *(
            "kind=a",
            "kind=a/data_0.csv",
            "kind=z/old.csv",
            "manifest.json",
            "theirs/a.txt",
            "out.csv",
        ),
        *("<home>/work/out", "<home>/work/out/kind=a", "<home>/work/out/out/empty", "theirs"),
        *("<home>/work/out/.handrail-<run>", "<home>/work/out/.handrail-<run>/files"),
        *("<home>/work/.handrail-<run>/files", "<home>/beside/.handrail-<run>/files"),
        *("<home>/work/.handrail/exports", "<home>/work/.handrail/exports/<run>.db"),
        *("<home>/work/.handrail/exports/other.db", "<home>/beside/<run>.db", "<home>/gone/out"),
    )
    elsewhere = (
        (("initialize", "manifest"), "<home>/beside/secret.txt"),
        (("initialize", "staging"), "<home>/beside"),
        (("initialize", "folders"), "<home>/beside/empty"),
        (("convert_data", "written"), "<home>/beside"),
        (("save_files", "target"), "<home>/beside"),
        (("save_files", "folders"), "<home>/beside/empty"),
    )
    previews = (
        (
            "folder",
            (
                "at out: 4 files deleted (",
                "the manifest ",
            ),
        ),
        (
            "killed",
            (
                "at out: ",
                "files deleted (",
                "the manifest ",
            ),
        ),
        (
            "file",
            (
                "at .: 1 file deleted (",
                "the manifest ",
            ),
        ),
        (
            "replacing",
            (
                "put back",
                "the manifest ",
            ),
        ),
    )
