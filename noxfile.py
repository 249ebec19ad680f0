"""Everything that is checked, for people and for CI: `nox` runs it all, `nox -l` lists it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nox
from packaging.requirements import Requirement
from packaging.version import Version

# What the demo runs.
DEMO = (
    *("handrail", "run", "upload", "examples/sample_collection/files", "build/store"),
    *("--spec", "examples/sample_collection/collection.toml"),
    *("--metadata", "examples/sample_collection/metadata.csv"),
    *("--catalogue", "build/shapes.db"),
)

# The parts of core in which versions of Python differ.
LANGUAGE = ("context", "engine", "orchestrator", "params", "steps", "wrapper")
# What `quick` runs of what is no unit test of core: one of each kind.
OTHER_KINDS = (
    *("tests/architecture", "tests/docs", "tests/seed/test_page.py", "README.md"),
    "tests/faults/test_things_of_others.py",
    "plugins/upload/tests/test_sample_collection.py",
)

# What the tests of these need besides: clients of the servers that they start, what drives a
# browser, libraries of values, and the tools that check what `handrail new` makes.
MORE_GROUPS = {
    "arrow": ("frames",),
    "export": ("servers",),
    "otel": ("collector",),
    "postgres": ("servers",),
    "report": ("browser",),
    "storage": ("servers",),
    "synapse": ("servers",),
    "train": ("servers", "models"),
    "upload": ("servers",),
    "web": ("servers", "browser"),
    "together": ("servers", "frames", "typing", "lint"),
}
# What only tests that are marked as slow need besides.
SLOW_GROUPS = {"train": ("mlflow",)}
# Of these `lowest` runs only what uses libraries or, in core, depends on the language; the rest is
# tested in `tests`.
USES_OTHERS = {
    "core": (*LANGUAGE, "cli", "packs", "settings", "test_*.py"),
    "export": ("formats", "sources", "test_*.py"),
    "train": ("data", "models", "store", "test_*.py"),
    "upload": (
        *("catalogue", "metadata", "specification", "storage", "test_*.py"),
        *(f"workflow/test_{each}.py" for each in ("command", "discovery", "params")),
    ),
}
# Packs that the pictures of plans have.
SAMPLES = ("examples/acme-audit", "examples/acme-scan")
# What is marked as slow is not about versions of anything.
FAST, SLOW = ("-m", "not slow"), ("-m", "slow")

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
    wanted = [version for version in supported if not asked or version in asked]
    found = {version: interpreter(version) for version in wanted}
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
WHEELS = tempfile.TemporaryDirectory(prefix="handrail-wheels-")
OLDEST, NEWEST = next(iter(PYTHONS.values())), next(reversed(PYTHONS.values()))


def needed(package: Path, *, tests: bool = False) -> list[Path]:
    """Return `package` and those of ours that it (or its tests) needs, what is needed first."""
    names = {project(each)["project"]["name"]: each for each in PACKAGES}
    file = project(package)
    lines = list(file["project"]["dependencies"])
    if tests and "dependency-groups" in file:
        lines += nox.project.dependency_groups(file, "test")
    found: list[Path] = []
    for requirement in map(Requirement, lines):
        if requirement.name in names:
            found += [each for each in needed(names[requirement.name]) if each not in found]
    return [*found, package]


def group(name: str) -> list[str]:
    """Return the requirements of one dependency group of the workspace."""
    return nox.project.dependency_groups(WORKSPACE, name)


def install(session: nox.Session, *packages: Path, groups: tuple[str, ...] = ("test",)) -> None:
    """Install packages of the workspace, editable, and dependency groups."""
    editable = [part for package in packages for part in ("-e", str(package))]
    session.install(*editable, *(line for name in groups for line in group(name)))


def compile_imports(session: nox.Session) -> None:
    """Compile what commands import, as processes of tests leave no bytecode to the next one."""
    sources = (str(package / "src") for package in PACKAGES)
    session.run("python", "-m", "compileall", "-q", *sources, silent=True)
    # It imports all packs, and what they need from elsewhere. What it finds is not of interest.
    session.run("handrail", "doctor", silent=True, success_codes=range(8))


def build_packages(session: nox.Session, packages: list[Path], out: Path) -> None:
    """Build a source archive of each package and, from that archive, its wheel."""
    session.install("build[uv]")
    for package in packages:
        command = ("python", "-m", "build", "--installer=uv", f"--outdir={out}", str(package))
        session.run(*command, silent=True)


def run_linters(session: nox.Session, *, fix: bool = False) -> None:
    """Run what finds mistakes in a file without knowing others."""
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")
    workflows = [str(each) for each in sorted(ROOT.glob(".github/workflows/*.yml"))]
    session.run("check-jsonschema", "--builtin-schema=vendor.github-workflows", *workflows)
    # Offline: whether a pinned action has a hole that is known by now is no matter of this commit.
    session.run("zizmor", "--offline", "--quiet", "--persona=pedantic", ".github")


@nox.session
def lint(session: nox.Session) -> None:
    """Rules, format and workflows; `nox -s lint -- --fix` repairs what ruff can."""
    session.install(*group("lint"), *group("workflows"))
    run_linters(session, fix="--fix" in session.posargs)


def changed_sources() -> list[str]:
    """Return the typed files that are new or differ from where this branch left `main`."""

    def git(*words: str) -> list[str]:
        return subprocess.check_output(["git", *words], text=True, cwd=ROOT).splitlines()

    known = git(
        "for-each-ref", "--format=%(refname)", "refs/heads/main", "refs/remotes/origin/main"
    )
    base = git("merge-base", "HEAD", known[0])[0] if known else "HEAD"
    files = git("diff", "--name-only", "--diff-filter=d", base)
    files += git("ls-files", "--others", "--exclude-standard")
    others = "tests/typing|tests/unit/benchmarks|benchmarks/peers"
    typed = re.compile(rf"((core|plugins/[^/]+|examples/[^/]+)/src|{others})/")
    return [file for file in files if file.endswith(".py") and typed.match(file)]


@nox.session(reuse_venv=True)
def quick(session: nox.Session) -> None:
    """Tell in three minutes whether a change is sound; the rest is for `nox`."""
    install(session, *PACKAGES, groups=("test", "servers", "typing", "lint", "workflows"))
    run_linters(session)
    if files := changed_sources():
        session.run("mypy", *files)
        session.run("pyright", *files, env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})
    compile_imports(session)
    contracts = sorted(str(each) for each in ROOT.glob("plugins/*/tests/test_contract.py"))
    tests = ("tests/unit", *OTHER_KINDS, *contracts)
    session.run("pytest", *(session.posargs or ["-n", "2", "-m", "not slow"]), *tests)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link is an error."""
    session.install(*group("docs"))
    # The theme tells of a successor at every build; that is news for maintainers, not for a log.
    env = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", *session.posargs, env=env)


@nox.session
def pictures(session: nox.Session) -> None:
    """Make the pictures of the documentation, with a Chromium; `-- report` makes some of them."""
    install(session, *PACKAGES, groups=("browser",))
    session.install(*(part for each in SAMPLES for part in ("-e", each)))
    session.run("python", "docs/pictures.py", *session.posargs)


@nox.session
def views(session: nox.Session) -> None:
    """Take pictures of every view, and check them with axe; `-- page-runs` takes some."""
    install(session, *PACKAGES, groups=("test", "browser"))
    npm = ROOT / "build/npm"
    npm.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "tests/views/package.json", npm)
    options = ("--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline")
    session.run("npm", "install", *options, "--prefix", str(npm), external=True)
    shared = {"PYTHONPATH": "plugins/web/tests"}
    session.run("python", "tests/views/views.py", *session.posargs, env=shared)


@nox.session
def typing(session: nox.Session) -> None:
    """Check the packages and `tests/typing` with mypy and pyright, both strict."""
    install(session, *PACKAGES, groups=("test", "servers", "typing"))
    session.run("mypy", *session.posargs)
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


def lowest_pins(session: nox.Session, packages: list[Path], more: list[str]) -> list[str]:
    """Return `name==lower bound` for what the packages need from elsewhere, the highest of each.

    And for `more` requirements: libraries that a package only works with.
    """
    ours = set(WORKSPACE["tool"]["uv"]["sources"])
    pins: dict[str, Version] = {}
    lines = [line for package in packages for line in project(package)["project"]["dependencies"]]
    lines += more
    for requirement in map(Requirement, lines):
        if requirement.name in ours:
            continue
        bounds = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "~=")]
        if not bounds:
            session.error(f"{requirement} has no lower bound")
        pins[requirement.name] = max(*bounds, pins.get(requirement.name, Version("0")))
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def wheels(session: nox.Session) -> dict[Path, str]:
    """Return the wheel of each package; the first session that asks builds them."""
    folder = Path(WHEELS.name)
    if not any(folder.iterdir()):
        build_packages(session, PACKAGES, folder)
    named = {project(each)["project"]["name"].replace("-", "_"): each for each in PACKAGES}
    return {named[file.name.partition("-")[0]]: str(file) for file in folder.glob("*.whl")}


@nox.session(python=OLDEST)
@nox.parametrize("package", [nox.param(each, id=each.name) for each in PACKAGES])
def lowest(session: nox.Session, package: Path) -> None:
    """Test the wheel of a package with the lowest versions that it allows, and its tests need."""
    built, packages = wheels(session), needed(package, tests=True)
    more = set(MORE_GROUPS.get(package.name, ()))
    groups = ["test", *sorted({"browser", "collector", "servers"} & more)]
    frames = group("frames") if "frames" in more else []
    # Outside the workspace, or its sources would stand in for the wheels.
    with session.chdir(WHEELS.name):
        session.install(
            *(built[each] for each in packages),
            *lowest_pins(session, packages, frames),
            *(line for name in groups for line in group(name)),
        )
    tests, *others = tests_of(package)
    found = [ROOT.glob(f"{tests}/{each}") for each in USES_OTHERS.get(package.name, ("",))]
    paths = (str(path.relative_to(ROOT)) for each in found for path in sorted(each))
    run_tests(session, *FAST, *paths, *others)


def tests_of(package: Path) -> list[str]:
    """Return where the tests of a package are."""
    if package == Path("core"):
        return ["tests/unit"]
    return [f"{package}/tests"]


def run_tests(session: nox.Session, *words: str, **env: str) -> None:
    """Run pytest with what it was told on the command line, or else in two processes."""
    compile_imports(session)
    session.run("pytest", "--durations=10", *words, *(session.posargs or ["-n", "2"]), env=env)


class Part(NamedTuple):
    """Tests that run in one environment, with these packages and no others."""

    packages: list[Path]
    paths: list[str]
    marks: tuple[str, ...] = ()


def takes_long(package: Path) -> bool:
    """Return whether a package has tests that are marked as slow."""
    files = (file for path in tests_of(package) for file in (ROOT / path).rglob("*.py"))
    return any(
        re.search(r"mark\.slow\b|add_marker\(.slow", file.read_text("utf-8")) for file in files
    )


# What is quick of each package, with only what it needs.
QUICK = {each.name: Part(needed(each, tests=True), tests_of(each), FAST) for each in PACKAGES}
QUICK["core"].paths.append("tests/architecture")
# What depends on the language.
BETWEEN = {"core": Part([Path("core")], [f"tests/unit/{each}" for each in LANGUAGE], FAST)}
# What takes long of each package, and what crosses them.
LONG = {
    **{
        f"slow {each.name}": Part(needed(each, tests=True), tests_of(each), SLOW)
        for each in PACKAGES
        if takes_long(each)
    },
    "together": Part(
        PACKAGES,
        [
            *("tests/seed", "tests/ecosystem", "tests/faults", "tests/fuzz", "tests/docs"),
            *("plugins/workers/tests/isolation/test_values.py", "README.md", "docs"),
            # What needs a pack that core does not have: a journal in PostgreSQL, isolated steps.
            "tests/unit/chains/test_crashes_of_run_steps.py",
            "tests/unit/cli/test_streams.py",
            *(f"tests/unit/cli/durable/test_{each}.py" for each in ("recorded", "renamed")),
            *(f"{package}/README.md" for package in PACKAGES),
        ],
    ),
}


def parts_with(python: str) -> dict[str, Part]:
    """Return what is tested with a Python; a single one runs it all.

    With the oldest one `lowest` runs what is quick, with the newest one this does. What takes long
    and what crosses packages is not about the language: it runs once, with the oldest one.
    """
    found = QUICK if python == NEWEST else {}
    return {**found, **LONG} if python == OLDEST else found or BETWEEN


@nox.session
@nox.parametrize(
    "python,part",
    [
        nox.param(path, part, id=f"{version}, {part}")
        for version, path in PYTHONS.items()
        for part in parts_with(path)
    ],
)
def tests(session: nox.Session, part: str) -> None:
    """Test each package, what takes long, what crosses packages, and the documentation."""
    packages, paths, marks = parts_with(str(session.python))[part]
    name = part.removeprefix("slow ")
    more = MORE_GROUPS.get(name, ()) + (SLOW_GROUPS.get(name, ()) if name != part else ())
    install(session, *packages, groups=("test", *more))
    run_tests(session, *marks, *paths)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill durable runs of all kinds everywhere: all writes and pairs of them, random instants.

    So are runs that share a target, of which the model has millions of worlds here.
    """
    install(session, *PACKAGES, groups=("test", "servers", "models", "mlflow"))
    kinds = ("cli", "recovery", "journal", "orchestrator", "chains")
    core = (*(f"tests/unit/{each}" for each in kinds), "tests/faults", "plugins/workers/tests")
    durable = (str(each) for each in sorted(ROOT.glob("plugins/*/tests/durable")))
    shared = ("plugins/storage/tests/claims", "plugins/upload/tests/faults")
    env = {"HANDRAIL_FAULTS": "200", "HANDRAIL_STORM": "2500", "HANDRAIL_COLD": "1"}
    run_tests(session, *core, *durable, *shared, **env)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try 10,000 odd command lines, settings, params, locks, journals and metadata of packs."""
    install(session, *PACKAGES)
    run_tests(session, "tests/fuzz", HANDRAIL_FUZZ=os.environ.get("HANDRAIL_FUZZ", "10000"))


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Measure ours beside the peers and the floors; `nox -s bench -- --help` has the options."""
    session.run(sys.executable, "benchmarks/peers/run.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Upload the sample collection for real, into build/store."""
    install(session, *needed(Path("plugins/upload")), groups=())
    session.run(*DEMO, *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build what is released into dist: all packages, or those named: `nox -s build -- utils`."""
    known = {package.name: package for package in PACKAGES}
    chosen = session.posargs or list(known)
    if unknown := set(chosen) - set(known):
        session.error(f"no package {', '.join(unknown)}; there are {', '.join(known)}")
    build_packages(session, [known[name] for name in chosen], ROOT / "dist")


def tagged(session: nox.Session, tag: str) -> tuple[Path, str]:
    """Return the package that a tag such as `handrail-utils-v0.1.0` names, and its new changes."""
    name, _, version = tag.rpartition("-v")
    named = {project(each)["project"]["name"]: each for each in PACKAGES}
    if name not in named:
        session.error(f"{tag} is no tag of a release: no package is called {name!r}")
    package = named[name]
    (source,) = (package / "src").glob("*/__init__.py")
    if f'__version__ = "{version}"' not in source.read_text("utf-8"):
        session.error(f"{source} has another __version__ than {version}")
    changelog = package / "CHANGELOG.md"
    found = re.search(
        rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n(.*?)(?=^## |\Z)",
        changelog.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    if found is None:
        session.error(f"{changelog} has no section '## {version} (YYYY-MM-DD)'")
    return package, found[1].strip()


@nox.session
def release(session: nox.Session) -> None:
    """Build what a tag releases: dist for the index, build/release with SBOM and notes."""
    if len(session.posargs) != 1:
        session.error("name one tag:  nox -s release -- handrail-utils-v0.1.0")
    (tag,) = session.posargs
    package, changes = tagged(session, tag)
    packed, beside = ROOT / "dist", ROOT / "build/release"
    for folder in (packed, beside):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    build_packages(session, [package], packed)
    (beside / "notes.md").write_text(f"{changes}\n", "utf-8")
    # What an installer brings with it, in an environment of its own.
    session.install(*group("sbom"))
    with tempfile.TemporaryDirectory(prefix="handrail-sbom-") as folder:
        python = f"{folder}/bin/python"
        session.run("python", "-m", "venv", "--without-pip", folder, silent=True)
        links = f"--find-links={Path(wheels(session)[package]).parent}"
        wanted = "==".join(tag.rsplit("-v", 1))
        session.run("uv", "pip", "install", f"--python={python}", links, wanted)
        about = ("--mc-type=library", f"--pyproject={package / 'pyproject.toml'}")
        made = ("--output-reproducible", f"--output-file={beside / tag}.cdx.json")
        session.run("cyclonedx-py", "environment", *about, *made, python)
