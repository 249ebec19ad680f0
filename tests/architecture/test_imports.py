"""The house rules of docs/explanation: who may import whom, checked over the syntax tree.

Imports inside functions count like any other. Imports for the type checker alone (`if
TYPE_CHECKING:`) and those that wait for a first use (`with lazy_imports(...):`) may form circles,
so only the rule about the command line holds for them: nothing below it may know it, not even by
name.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from handrail.packs.ours import COMMANDS

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core/src/handrail"
PLUGINS = ROOT / "plugins"

# Each part may import from its own floor and from those below it.
FLOORS = (
    (
        *(
            "amounts",
            "frozen",
            "lazy",
            "suggest",
            "redact",
            "origin",
            "errors",
            "events",
            "own_points",
            "trust",
            "atomic",
        ),
        *("limits", "steps", "groups", "wrapper", "context", "serializers"),
        *("attachments", "builtin/attachments"),
        # What steps, wrappers and contexts share with the engine.
        *("calls", "rollback_data", "recorder", "user_code"),
    ),
    ("entry", "registry"),
    ("hookspecs", "plan"),
    ("engine",),
    ("params",),
    ("chain_params",),
    ("journal", "packs", "builtin/sqlite", "sqlite"),
    ("orchestrator",),
    ("inspection", "builtin/worker_imports"),
    ("actions", "workflow"),
    ("recovery",),
    ("builtin/records",),
    ("run_step",),
    ("chains",),
    ("builtin/project",),
    ("builtin/dotted", "builtin/derived"),
    ("derived", "local", "records"),
    ("builtin/recipe", "places"),
    ("builtin", "builtin/cli", "cli", "__main__"),
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
STRANGERS = (("journal", "packs"), ("packs", "journal"))
# One door leads upwards, with importlib, and only when somebody walks through: a program of one
# workflow is a command line.
DOORS = {("workflow.py", "handrail.cli")}

THIRD_PARTY = {
    "asyncio": ("orchestrator/", "calls.py"),
    "click": ("builtin/cli/",),
    "importlib_metadata": ("builtin/cli/commands/doctor.py", "builtin/project/digest.py", "packs/"),
    "packaging": ("packs/",),
    "pluggy": ("hookspecs.py", "packs/"),
    "pydantic": (
        *("builtin/project/", "chain_params.py", "journal/context_fields.py", "packs/", "params/"),
    ),
    "pydantic_core": ("chain_params.py", "params/"),
    "rich": ("builtin/cli/view/live_view.py",),
    # For type checkers only, see below.
    "typing_extensions": (),
}
PURE = (*FLOORS[0], *FLOORS[1], "plan", "engine")
NO_CLOCK = ("time", "logging", "asyncio", "socket", "sqlite3", "subprocess")
# It is a driver, if only for one wrapper.
CLOCKS = {("calls.py", "asyncio")}

BAD_NAMES = ("utils.py", "helpers.py", "common.py", "base.py")


class Import(NamedTuple):
    """One import: where it is, what it names, and whether only type checkers see it."""

    file: str
    line: int
    module: str
    for_checkers: bool


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    checked = {
        id(inner)
        for node in ast.walk(tree)
        if (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        or (isinstance(node, ast.With) and "lazy_imports" in ast.unparse(node.items[0]))
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively"
            module = str(node.module)
            # `from handrail import events` names a module, too.
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                names = [str(first.value)]
        for name in names:
            file = path.relative_to(root).as_posix()
            yield Import(file, getattr(node, "lineno", 0), name, id(node) in checked)


def part_of(path: str) -> str:
    """Return which part of FLOORS a file is of: itself where it is named there, else its folder."""
    top, _, rest = path.removesuffix(".py").partition("/")
    module = f"{top}/{rest.partition('/')[0]}"
    return module if module in FLOOR else top


@cache
def core_imports() -> tuple[Import, ...]:
    return tuple(each for path in sorted(CORE.rglob("*.py")) for each in imports_of(path, CORE))


def says(each: Import) -> str:
    return f"{each.file}:{each.line} imports {each.module}"


def test_every_part_of_the_core_has_a_floor() -> None:
    """A new module says where it stands before it is imported from anywhere."""
    parts = {part_of(path.relative_to(CORE).as_posix()) for path in CORE.rglob("*.py")}
    assert sorted(parts - set(FLOOR) - {"__init__"}) == [], "add it to FLOORS"


def test_imports_of_the_core_point_one_way() -> None:
    """No module imports from a floor above its own, and strangers do not know each other."""
    wrong: list[str] = []
    for each in core_imports():
        owner = part_of(each.file)
        if not each.module.startswith("handrail.") or owner == "__init__":
            continue
        target = part_of(each.module.removeprefix("handrail.").replace(".", "/"))
        if target not in FLOOR or (each.file, each.module) in DOORS:
            continue
        upwards = FLOOR[target] > FLOOR[owner]
        excused = each.for_checkers and target not in ("builtin/cli", "cli")
        between = (owner.partition("/")[0], target.partition("/")[0])
        if between in STRANGERS or (upwards and not excused):
            wrong.append(says(each))
    assert wrong == []


def test_the_kernel_imports_nothing_that_is_built_in() -> None:
    """Neither itself nor from a page of such names: it is found by core's entry points."""
    named = {
        each.file
        for each in core_imports()
        if each.for_checkers and each.module.startswith("handrail.builtin.")
    }
    pages = [file.removesuffix(".py") for file in named if "/" not in file]
    built_in = tuple(f"handrail.{each}." for each in ("builtin", *pages))
    wrong = [
        says(each)
        for each in core_imports()
        if not each.file.startswith("builtin/")
        and each.file not in (*named, "__main__.py")
        and not each.for_checkers
        and (each.file, each.module) not in DOORS
        and f"{each.module}.".startswith(built_in)
    ]
    assert {"cli", "records"} <= set(pages)
    assert wrong == []


Graph = dict[str, set[str]]

# Imports that close a circle on purpose, or still do.
CIRCLES = (
    *DOORS,
    # The error of a plan carries it, and says so to type checkers.
    ("errors.py", "handrail.plan.plan"),
    # A context reaches its run, and says so to type checkers.
    ("context.py", "handrail.engine.line"),
)


def imported(*, for_checkers: bool) -> Graph:
    """Return which modules of the core each of them imports, wherever in its code."""
    modules = {
        path.relative_to(CORE.parent).with_suffix("").as_posix().replace("/", ".")
        for path in CORE.rglob("*.py")
    }
    graph: Graph = {module.removesuffix(".__init__"): set() for module in modules}
    for each in core_imports():
        owner = f"handrail.{each.file.removesuffix('.py').replace('/', '.')}"
        target = each.module
        while target not in graph and "." in target:
            target = target.rpartition(".")[0]
        allowed = (each.file, target) in CIRCLES or (each.for_checkers and not for_checkers)
        if target.startswith("handrail.") and not allowed:
            graph[owner.removesuffix(".__init__")].add(target)
    return graph


def reached(graph: Graph, start: str) -> set[str]:
    """Return the modules that importing `start` leads to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def circles(graph: Graph) -> set[tuple[str, ...]]:
    """Return the largest sets of modules in which each leads to each."""
    reach = {module: reached(graph, module) for module in graph}
    return {
        tuple(sorted(other for other in reach[module] if module in reach[other]))
        for module in graph
        if module in reach[module]
    }


def test_no_modules_import_each_other() -> None:
    """At run time no import leads back to where it started, not even one inside a function."""
    assert circles(imported(for_checkers=False)) == set()


def test_types_lead_back_within_a_folder_only() -> None:
    """With the imports for type checkers there are circles, and each of them is in one folder."""
    wide = [
        circle
        for circle in circles(imported(for_checkers=True))
        if len({module.split(".")[1] if module.count(".") > 1 else "" for module in circle}) > 1
    ]
    assert wide == []


def test_third_party_packages_stay_where_they_belong() -> None:
    """What others wrote, and asyncio, is imported in its places only."""
    wrong: list[str] = []
    for each in core_imports():
        top = each.module.split(".")[0]
        known = top in sys.stdlib_module_names and top not in THIRD_PARTY
        if known or top in ("handrail", "__future__"):
            continue
        if each.for_checkers:
            continue
        if not each.file.startswith(THIRD_PARTY.get(top, ())):
            wrong.append(says(each))
    assert wrong == []


def test_the_pure_parts_have_no_clock_and_no_logger() -> None:
    """`plan`, `engine` and what is below them neither look at a clock nor log."""
    wrong = [
        says(each)
        for each in core_imports()
        if part_of(each.file) in PURE
        and each.module.split(".")[0] in NO_CLOCK
        and (each.file, each.module) not in CLOCKS
    ]
    assert wrong == []


CHANGEABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = ("list", "dict", "set", "deque", "defaultdict", "Counter", "count", "WeakKeyDictionary")


def globals_that_change(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        constant = ast.unparse(node).startswith("__all__") or (
            isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith("Mapping[")
        )
        made = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in MAKERS
        if not constant and (made or isinstance(node.value, CHANGEABLE)):
            yield f"{path.relative_to(CORE)}:{node.lineno}"


def test_the_pure_parts_keep_nothing_in_globals() -> None:
    """`plan`, `engine` and what is below them have no list, dict or set that all runs share."""
    parts = [
        path for path in CORE.rglob("*.py") if part_of(path.relative_to(CORE).as_posix()) in PURE
    ]
    assert [found for path in sorted(parts) for found in globals_that_change(path)] == []


def pack_roots() -> list[Path]:
    return sorted(path for path in PLUGINS.glob("*/src/*") if path.is_dir())


def test_the_core_names_no_pack() -> None:
    """Nothing in the core names a pack, but for the one table that hints may name."""
    packs = {path.name for path in pack_roots()}
    spelled = packs | {name.replace("_", "-") for name in packs}
    wrong = [
        f"{path.relative_to(ROOT)} names {name}"
        for path in sorted(CORE.rglob("*.py"))
        if path != CORE / "packs" / "ours.py"
        for name in sorted(spelled)
        if name in path.read_text(encoding="utf-8")
    ]
    assert wrong == []


def test_hints_name_distributions_of_ours_that_bring_what_they_say() -> None:
    """Each command of the table is an entry point of the distribution that it names."""
    for command, distribution in COMMANDS.items():
        folder = PLUGINS / distribution.removeprefix("handrail-")
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["name"] == distribution
        assert command in project["entry-points"]["handrail.commands"]


PUBLIC = ("handrail.errors", "handrail.events")
# Of these modules, what is in their `__all__`.
FIRST_PAGES = (
    *("handrail", "handrail.cli", "handrail.frozen", "handrail.inspection", "handrail.packs"),
    *("handrail.amounts", "handrail.attachments", "handrail.derived"),
    *("handrail.journal", "handrail.lazy", "handrail.local", "handrail.places", "handrail.records"),
    *("handrail.params", "handrail.recovery", "handrail.redact", "handrail.sqlite"),
    "handrail.suggest",
)
# What packs may import besides core: libraries below them, with their first pages.
LIBRARIES = {
    "handrail_workers": ("handrail_workers",),
    "handrail_arrow": ("handrail_arrow.excel",),
    "handrail_report": ("handrail_report",),
    "handrail_storage": (
        *("handrail_storage", "handrail_storage.backend", "handrail_storage.claims"),
        *("handrail_storage.containment", "handrail_storage.inputs"),
        *("handrail_storage.manifests", "handrail_storage.side_file"),
    ),
}


def public_names() -> set[str]:
    pages = [*FIRST_PAGES, *(page for pages in LIBRARIES.values() for page in pages)]
    return {f"{page}.{name}" for page in pages for name in first_page(page)}


def first_page(page: str) -> list[str]:
    """Return the `__all__` of a page, which need not be installed.

    Where names are imported on first use, it has those that are imported under their own name.
    """
    top, *rest = page.split(".")
    root = next(path for path in (CORE, *pack_roots()) if path.name == top)
    file = root.joinpath(*rest, "__init__.py")
    if not file.is_file():
        file = root.joinpath(*rest).with_suffix(".py")
    told: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_imports":
            told += [ast.literal_eval(each) for each in node.args[1:]]
        if isinstance(node, ast.ImportFrom):
            told += [alias.name for alias in node.names if alias.asname == alias.name]
    return told


@pytest.mark.parametrize("root", pack_roots(), ids=lambda path: str(path.name))
def test_packs_use_public_names_only(root: Path) -> None:
    """A pack imports what is in an `__all__` of core, and the public modules; no other pack.

    A library made for packs is one whose public names any pack may import.
    """
    public = public_names()
    libraries = set(LIBRARIES) - {root.name}
    others = {path.name for path in pack_roots()} - {root.name} - libraries
    wrong: list[str] = []
    for path in sorted(root.rglob("*.py")):
        for each in imports_of(path, root):
            top, _, rest = each.module.partition(".")
            inside = each.module not in public and not each.module.startswith(PUBLIC)
            if top in {"handrail", *libraries} and rest and inside:
                wrong.append(says(each))
            # Synapse is there to export again what others have.
            foreign = top in others and root.name != "handrail_synapse"
            if foreign and not rest.startswith("context"):
                wrong.append(says(each))
    assert wrong == []


# What the built-ins share with the kernel besides: rows, their damage, and what writes and trusts
# files.
SHARED = tuple(
    f"handrail.{module}."
    for module in (
        *("atomic", "trust", "frozen", "user_code"),
        *("journal.damage", "journal.records", "journal.this_process"),
    )
)


@pytest.mark.parametrize("name", ["cli", "project", "records", "sqlite"])
def test_built_ins_use_public_names_only(name: str) -> None:
    """A built-in could be a pack, but for what it shares with the kernel."""
    allowed = (*PUBLIC, *SHARED, "handrail.builtin.")
    public = public_names()
    private = {
        each.module
        for each in core_imports()
        if each.file.startswith(f"builtin/{name}/")
        and each.module.startswith("handrail.")
        and not (each.module.startswith(allowed) or each.module in public)
    }
    assert sorted(private) == []


def test_no_file_is_named_after_nothing() -> None:
    """A file says what is in it: no utils.py, helpers.py, common.py, base.py."""
    sources = [*CORE.rglob("*.py"), *PLUGINS.glob("*/src/**/*.py")]
    assert [str(path.relative_to(ROOT)) for path in sources if path.name in BAD_NAMES] == []


def test_every_package_is_typed() -> None:
    """Every package ships `py.typed`, so that its annotations count for its users."""
    packages = [CORE, *pack_roots()]
    missing = [path.name for path in packages if not (path / "py.typed").is_file()]
    assert missing == []


def test_importing_handrail_is_free() -> None:
    """`import handrail` loads none of the heavy modules, in a process of its own."""
    heavy = (
        "asyncio",
        "click",
        "dataclasses",
        "importlib_metadata",
        "pluggy",
        "pydantic",
        "typing",
    )
    code = f"import handrail, sys; print([name for name in {heavy!r} if name in sys.modules])"
    ran = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(CORE.parent)!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["Orchestrator", "BaseStep", "StepRegistry"])
def test_a_blocking_workflow_needs_no_heavy_module(name: str) -> None:
    """What a blocking run needs imports neither asyncio, nor pydantic, nor click, nor pluggy."""
    heavy = ("asyncio", "click", "pluggy", "pydantic")
    loaded = f"[each for each in {heavy!r} if each in sys.modules]"
    code = f"from handrail import {name}; import sys; print({loaded})"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "[]"
