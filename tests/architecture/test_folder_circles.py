"""No circle leads from one folder of the core through others back to it.

Imports at the top of modules and in functions count, those with `import_module` too; those for the
type checker, and those that wait for a first use, do not. A module that is in no folder counts as a
folder of its own, and each folder of `builtin/` as one.
"""

from __future__ import annotations

import ast
from pathlib import Path

CORE = Path(__file__).parents[2] / "core/src/handrail"

Graph = dict[str, set[str]]


def folder_of(module: str) -> str:
    """Return the folder of a module of core, such as `plan`, by its dotted name."""
    top, *below = module.removeprefix("handrail.").split(".")
    return f"{top}/{below[0]}" if top == "builtin" and below else top


def runs(node: ast.AST) -> bool:
    """Return whether the imports below a statement are done at run time, with their module."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" not in ast.unparse(node.test)
    return not (isinstance(node, ast.With) and "lazy_imports" in ast.unparse(node.items[0]))


def name_of(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


def imports_of(node: ast.AST) -> set[str]:
    """Return the dotted names of what is imported at run time below a node of a syntax tree."""
    names: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            names |= {alias.name for alias in child.names}
        elif isinstance(child, ast.Call) and name_of(child.func) == "import_module":
            names |= {str(each.value) for each in child.args if isinstance(each, ast.Constant)}
        elif isinstance(child, ast.ImportFrom):
            names |= {f"{child.module}.{alias.name}" for alias in child.names}
        elif runs(child):
            names |= imports_of(child)
        else:
            names |= set().union(*(imports_of(other) for other in getattr(child, "orelse", ())))
    return names


def folders() -> Graph:
    """Return which folders of the core each of them imports at run time."""
    graph: Graph = {}
    for path in sorted(CORE.rglob("*.py")):
        module = ".".join(path.relative_to(CORE.parent).with_suffix("").parts)
        owner = folder_of(module.removesuffix(".__init__"))
        if owner in ("handrail", "builtin"):
            continue
        names = imports_of(ast.parse(path.read_text(encoding="utf-8")))
        inside = {name for name in names if name.startswith("handrail.")}
        graph.setdefault(owner, set()).update({folder_of(name) for name in inside} - {owner})
    known = set(graph)
    return {owner: targets & known for owner, targets in graph.items()}


def reached(graph: Graph, start: str) -> set[str]:
    """Return the folders that the imports of one lead to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def closing(graph: Graph) -> set[tuple[str, str]]:
    """Return the imports, by folder, from whose target others lead back."""
    return {
        (owner, target)
        for owner, targets in graph.items()
        for target in targets
        if owner in reached(graph, target)
    }


def test_no_circle_of_imports_leads_through_folders() -> None:
    """No import leads back to the folder that it is in."""
    assert sorted(closing(folders())) == []
