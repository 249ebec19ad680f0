"""No metadata of an installed distribution makes Handrail crash, hang, or import it."""

from __future__ import annotations

import shutil

from arena import Arena
from conftest import cases
from garden import Garden, Plant
from hypothesis import given
from hypothesis import strategies as st
from strategies import HOSTILE, SAFE, spoilt

CALLS = (
    ("packs",),
    ("packs", "--json"),
    ("packs", "acme-scan"),
    ("steps", "--all"),
    ("actions",),
    ("plan", "flows.py:nightly"),
    ("run", "flows.py:nightly"),
    ("run", "--help"),
    ("--help",),
    ("config",),
    ("doctor",),
    ("lock", "flows.py:nightly"),
    ("check", "acme-scan"),
)
LISTS = {("packs",), ("packs", "--json"), ("steps", "--all"), ("actions",), ("--help",)}
TRAP = "raise SystemExit('a listing has imported this')\n"
LINE = st.one_of(
    SAFE,
    HOSTILE,
    st.tuples(
        st.sampled_from(
            ["Name", "Version", "Summary", "Requires-Dist", "Metadata-Version", "X", ""]
        ),
        st.sampled_from([":", ": ", "=", " "]),
        SAFE
        | HOSTILE
        | st.sampled_from(["handrail<0", "handrail>=0.1; extra == 'x'", "handrail ((", "1.!"]),
    ).map("".join),
)
POINT = st.one_of(
    SAFE,
    HOSTILE,
    st.tuples(
        st.sampled_from(["scan_files", "acme", "upload", "new.thing", "run", ""]) | SAFE | HOSTILE,
        st.sampled_from([" = ", "=", ":"]),
        st.sampled_from(
            ["acme_scan.hooks", "acme_scan:none", "none", "os:system", "a b", ":", "[x]"]
        ),
    ).map("".join),
    st.sampled_from(
        ["packs", "steps", "actions", "commands", "policy", "journals", "pack", ""]
    ).map("[handrail.{}]".format),
)


def plant(arena: Arena) -> tuple[Garden, Plant]:
    """Put everything back and plant a pack beside those that are installed."""
    arena.put_back()
    home = arena.folder / "installed"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    garden = Garden(home)
    made = garden.plant(
        points={
            "packs": {"acme_scan": "acme_scan.hooks"},
            "steps": {"scan_files": "acme_scan.steps:Scan"},
            "actions": {"mirror": "acme_scan.action:Mirror"},
            "commands": {"scan": "acme_scan.command:scan"},
        },
        modules={
            "acme_scan/__init__.py": "",
            **{f"acme_scan/{name}.py": TRAP for name in ("hooks", "steps", "action", "command")},
        },
    )
    return garden, made


def check(arena: Arena, garden: Garden, call: tuple[str, ...]) -> None:
    ending = arena.check(*call, site=garden.site)
    if call in LISTS:
        assert "has imported this" not in ending.out + ending.err


FILES = ("METADATA", "entry_points.txt", "RECORD")


@cases(3)
@given(
    lines=st.lists(LINE | POINT, max_size=8),
    whole=st.booleans(),
    name=st.sampled_from(FILES),
    call=st.sampled_from(CALLS),
)
def test_metadata_of_other_lines(
    arena: Arena, lines: list[str], whole: bool, name: str, call: tuple[str, ...]
) -> None:
    """Files of metadata with lines that no installer writes."""
    garden, made = plant(arena)
    file = made.info / name
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    file.write_bytes(text if whole else file.read_bytes() + b"\n" + text)
    check(arena, garden, call)


@cases(2)
@given(data=st.data(), name=st.sampled_from(FILES), call=st.sampled_from(CALLS))
def test_metadata_of_other_bytes(
    arena: Arena, data: st.DataObject, name: str, call: tuple[str, ...]
) -> None:
    """Files of metadata of which bytes are others."""
    garden, made = plant(arena)
    file = made.info / name
    file.write_bytes(data.draw(spoilt(file.read_bytes())))
    check(arena, garden, call)


@cases(1)
@given(
    name=(SAFE | HOSTILE).filter(lambda text: text not in ("", ".") and "\x00" not in text),
    version=st.sampled_from(["1.0", "0", "1.0.dev1+local", "one", "1!2"]),
    call=st.sampled_from(CALLS),
)
def test_folders_of_metadata(arena: Arena, name: str, version: str, call: tuple[str, ...]) -> None:
    """Folders that are called like metadata, whatever they are called before that."""
    garden, made = plant(arena)
    try:
        made.info.rename(garden.site / f"{name}-{version}.dist-info")
    except (OSError, UnicodeError):
        return  # No such name on this file system.
    check(arena, garden, call)
