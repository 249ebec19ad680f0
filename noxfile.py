"""Everything that is checked, for people and for CI: `nox` runs it all, `nox -l` lists it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import nox
from packaging.requirements import Requirement
from packaging.version import Version

# What the demo runs, in an environment with core and the packs named here.
DEMO_PACKS = ("storage", "upload")
DEMO = (
    *("handrail", "run", "upload", "examples/sample_collection/files", "build/store"),
    *("--spec", "examples/sample_collection/collection.toml"),
    *("--metadata", "examples/sample_collection/metadata.csv"),
    *("--catalogue", "build/shapes.db"),
)

# The lowest bounds have wheels up to this Python; a newer one needs newer dependencies.
LOWEST_NEWEST_PYTHON = "3.13"
# The tests of the parts of core that use what others wrote.
CORE_ON_OTHERS = (
    *("tests/unit/cli", "tests/unit/packs", "tests/unit/settings"),
    *("tests/unit/test_actions.py", "tests/unit/test_params.py"),
)
LOWEST_PACKS = ("export", "postgres", "storage", "testing", "train", "upload", "utils")

# What the tests of these need besides: clients of the servers that they start, and the tools that
# check what `handrail new` makes.
MORE_GROUPS = {
    "export": ("servers",),
    "postgres": ("servers",),
    "storage": ("servers",),
    "train": ("servers", "models"),
    "upload": ("servers",),
    "together": ("servers", "typing", "lint"),
}

ROOT = Path(__file__).parent
WORKSPACE = nox.project.load_toml(ROOT / "pyproject.toml")
PLUGINS = sorted(path.parent.relative_to(ROOT) for path in ROOT.glob("plugins/*/pyproject.toml"))
PACKAGES = [Path("core"), *PLUGINS]

# A missing Python is reported below, never downloaded.
os.environ["UV_PYTHON_DOWNLOADS"] = "never"

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
# Cheap ones first, and pytest's closing lines last.
nox.options.sessions = ["lint", "docs", "typing", "lowest", "tests"]


def project(package: Path) -> dict[str, Any]:
    """Return the pyproject.toml of one package."""
    return nox.project.load_toml(ROOT / package / "pyproject.toml")


def supported_pythons() -> list[str]:
    """Return the versions that the classifiers of core name, oldest first."""
    return nox.project.python_versions(project(Path("core")))


def candidates(version: str) -> Iterator[Path]:
    """Yield every place where an interpreter of `version` may be; not all of them work."""
    name = f"python{version}"
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        yield Path(folder, name)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/{name}"), reverse=True)


def interpreter(version: str) -> str | None:
    """Return the path of a CPython of `version` that really runs, else None.

    A name on PATH proves nothing: pyenv puts a shim there for each version it has, and the shim
    of a version that is not switched on only fails. The path is that of the interpreter itself,
    behind shims, links and virtual environments.
    """
    probe = (
        "import os, sys; v = sys.version_info;"
        "print(sys.implementation.name, f'{v[0]}.{v[1]}', os.path.realpath(sys.executable))"
    )
    for candidate in candidates(version):
        if not candidate.is_file():
            continue
        try:
            command = [candidate, "-I", "-c", probe]
            answer = subprocess.check_output(
                command, stderr=subprocess.DEVNULL, text=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if answer.startswith(f"cpython {version} "):
            return answer.strip().split(" ", 2)[2]
    return None


def choose_pythons() -> dict[str, str]:
    """Return the Pythons to test with: version -> interpreter.

    `PYTHONS=3.11,3.13` asks for exactly those. Without it, every supported one that is here.
    """
    supported = supported_pythons()
    asked = [part.strip() for part in os.environ.get("PYTHONS", "").split(",") if part.strip()]
    if unsupported := [version for version in asked if version not in supported]:
        sys.exit(
            f"PYTHONS asks for {', '.join(unsupported)};"
            f" core/pyproject.toml supports {', '.join(supported)}."
        )
    found = {version: interpreter(version) for version in asked or supported}
    here = {version: path for version, path in found.items() if path}
    missing = ", ".join(version for version, path in found.items() if not path)
    if asked and missing:
        sys.exit(
            f"PYTHONS asks for Python {missing}, and none that runs is on PATH or under pyenv."
            f" Install it, or leave it out of PYTHONS."
        )
    if not here:
        sys.exit(f"No Python that is supported was found: {missing}.")
    if missing:
        print(f"Testing with Python {', '.join(here)}; not found: {missing}.", file=sys.stderr)
    return here


PYTHONS = choose_pythons()
OLDEST = next(iter(PYTHONS.values()))


def with_pythons(versions: Iterable[str]) -> Callable[[Any], Any]:
    """Run a session once for each version: `tests(3.11)`, `tests(3.12)`."""
    params = [nox.param(PYTHONS[version], id=version) for version in versions]
    return nox.parametrize("python", params)


def ends(versions: Iterable[str], newest: str) -> list[str]:
    """Return the oldest and the newest of the versions up to `newest`."""
    fitting = sorted((v for v in versions if Version(v) <= Version(newest)), key=Version)
    return [*fitting[:1], *fitting[1:][-1:]]


def group(name: str) -> list[str]:
    """Return the requirements of one dependency group of the workspace."""
    return nox.project.dependency_groups(WORKSPACE, name)


def install(session: nox.Session, *packages: Path, groups: tuple[str, ...] = ("test",)) -> None:
    """Install packages of the workspace, editable, and dependency groups."""
    editable = [part for package in packages for part in ("-e", str(package))]
    session.install(*editable, *(line for name in groups for line in group(name)))


def lowest_pins(session: nox.Session, packages: list[Path]) -> list[str]:
    """Return `name==lower bound` for all that the packages need from elsewhere."""
    ours = set(WORKSPACE["tool"]["uv"]["sources"])
    pins: dict[str, Version] = {}
    lines = [line for package in packages for line in project(package)["project"]["dependencies"]]
    for requirement in map(Requirement, lines):
        if requirement.name in ours:
            continue
        bounds = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "~=")]
        if not bounds:
            session.error(f"{requirement} has no lower bound")
        pins[requirement.name] = max(*bounds, pins.get(requirement.name, Version("0")))
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def build_packages(session: nox.Session, packages: list[Path], out: Path) -> None:
    """Build a source archive of each package and, from that archive, its wheel."""
    session.install("build[uv]")
    for package in packages:
        command = ("python", "-m", "build", "--installer=uv", f"--outdir={out}", str(package))
        session.run(*command, silent=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format, by ruff; `nox -s lint -- --fix` repairs what it can."""
    session.install(*group("lint"))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link is an error."""
    session.install(*group("docs"))
    # The theme tells of a successor at every build; that is news for maintainers, not for a log.
    env = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", *session.posargs, env=env)


@nox.session
def typing(session: nox.Session) -> None:
    """Check the packages and `tests/typing` with mypy and pyright, both strict."""
    install(session, *PACKAGES, groups=("test", "servers", "typing"))
    session.run("mypy", *session.posargs)
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


@nox.session
@with_pythons(ends(PYTHONS, LOWEST_NEWEST_PYTHON))
def lowest(session: nox.Session) -> None:
    """Test built wheels with the lowest dependencies they allow."""
    packages = [Path("core"), *(Path("plugins", name) for name in LOWEST_PACKS)]
    pins = lowest_pins(session, packages)
    with tempfile.TemporaryDirectory(prefix="handrail-lowest-") as folder:
        build_packages(session, packages, Path(folder))
        wheels = [str(wheel) for wheel in sorted(Path(folder).glob("*.whl"))]
        # Outside the workspace, or its sources would stand in for the wheels.
        with session.chdir(folder):
            session.install(*wheels, *pins, *group("test"), *group("servers"))
    # Core's with the oldest Python and the packs' with the newest: what takes long is run once, and
    # what is slow is not about versions of dependencies.
    core = CORE_ON_OTHERS if session.python == OLDEST else ()
    newest = session.python == PYTHONS[ends(PYTHONS, LOWEST_NEWEST_PYTHON)[-1]]
    tests = [*core, *(f"{package}/tests" for package in packages[1:] if newest)]
    session.run("pytest", *(session.posargs or ["-n", "2", "-m", "not slow"]), *tests)


def needed(package: Path) -> list[Path]:
    """Return `package` and those of ours that it or its tests need, what is needed first."""
    names = {project(each)["project"]["name"]: each for each in PACKAGES}
    file = project(package)
    tests = nox.project.dependency_groups(file, "test") if "dependency-groups" in file else ()
    found: list[Path] = []
    for requirement in map(Requirement, (*file["project"]["dependencies"], *tests)):
        if requirement.name in names:
            found += [each for each in needed(names[requirement.name]) if each not in found]
    return [*found, package]


# What is tested on its own: the packages that it needs, and where its tests are.
PARTS: dict[str, tuple[list[Path], list[str]]] = {
    "core": ([Path("core")], ["tests/unit", "tests/architecture"]),
    **{each.name: (needed(each), [f"{each}/tests"]) for each in PLUGINS},
    "together": (
        PACKAGES,
        [
            *("tests/seed", "tests/ecosystem", "tests/faults", "tests/docs", "README.md", "docs"),
            *(f"{package}/README.md" for package in PACKAGES),
        ],
    ),
}


# What is long is tested with one Python; `lowest` tests the packs of these with the newest, too.
ON_THE_OLDEST = ("export", "postgres", "storage", "train", "upload", "together")


@nox.session
@nox.parametrize(
    "python,part",
    [
        nox.param(path, part, id=f"{version}, {part}")
        for version, path in PYTHONS.items()
        for part in PARTS
        if path == OLDEST or part not in ON_THE_OLDEST
    ],
)
def tests(session: nox.Session, part: str) -> None:
    """Test each package with only what it needs, then what crosses them, and the documentation."""
    packages, paths = PARTS[part]
    install(session, *packages, groups=("test", *MORE_GROUPS.get(part, ())))
    # What takes long is run with one Python: it is not about the language.
    spared = [] if session.python == OLDEST else ["-m", "not slow"]
    session.run("pytest", *(session.posargs or ["-n", "2", *spared]), *paths)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill durable runs of all kinds everywhere: all writes and pairs of them, random instants."""
    packs = [Path("plugins", name) for name in ("storage", "export", "train", "upload")]
    install(session, Path("core"), Path("plugins/postgres"), *packs, groups=("test", "servers"))
    env = {"HANDRAIL_FAULTS": "200", "HANDRAIL_STORM": "2500"}
    core = ("tests/unit/recovery", "tests/unit/journal", "tests/unit/orchestrator", "tests/faults")
    paths = (*core, *(f"{pack}/tests/durable" for pack in packs[1:]))
    session.run("pytest", *(session.posargs or ["-n", "2"]), *paths, env=env)


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Measure ours beside the peers and the floors; `nox -s bench -- --help` has the options."""
    session.run(sys.executable, "benchmarks/peers/run.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Upload the sample collection for real, into build/store."""
    session.install("-e", "core", *(p for n in DEMO_PACKS for p in ("-e", f"plugins/{n}")))
    session.run(*DEMO, *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build what is released into dist: all packages, or those named: `nox -s build -- utils`."""
    known = {package.name: package for package in PACKAGES}
    chosen = session.posargs or list(known)
    if unknown := set(chosen) - set(known):
        session.error(f"no package {', '.join(unknown)}; there are {', '.join(known)}")
    build_packages(session, [known[name] for name in chosen], ROOT / "dist")
