"""A clean environment with built wheels, as a user would have it; made once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    ROOT / "core",
    *(ROOT / "plugins" / name for name in ("storage", "testing", "upload", "utils")),
    *sorted(ROOT.glob("examples/acme-*")),
)
OURS = ("handrail", "acme", "__editable__")
LIBRARIES = {"handrail-upload": ("handrail-storage",)}


def call(*command: object, **options: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return str(done.stdout)


def uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment with Handrail in it.

    Attributes:
        folder: Where it is.
        work: An empty folder to work in.
        wheels: The wheels that were built, by distribution.
    """

    folder: Path
    work: Path
    wheels: dict[str, Path]

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def site(self) -> Path:
        return next(self.folder.glob("lib*/python*/site-packages"))

    def handrail(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command that was installed."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HANDRAIL_", "PYTHON"))}
        return subprocess.run(
            [self.scripts / "handrail", *(str(word) for word in words)],
            cwd=self.work,
            env={
                **clean,
                "NO_COLOR": "1",
                "PYTHONIOENCODING": "utf-8",
                **variables,
            },
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def install(self, *packages: str) -> None:
        wheels = [self.wheels[package] for package in packages]
        tool = uv()
        if tool is None:
            call(self.scripts / "python", "-m", "pip", "install", "-q", *wheels)
            return
        command = (tool, "pip", "install", "--python", self.scripts / "python", *wheels)
        offline = subprocess.run(
            [*(str(word) for word in command), "--offline"], capture_output=True, check=False
        )
        if offline.returncode != 0:
            call(*command)

    def install_alone(self, package: str) -> None:
        """Install one wheel and nothing that it needs."""
        options = ("--no-deps", "--no-index", self.wheels[package])
        tool = uv()
        if tool is None:
            call(self.scripts / "python", "-m", "pip", "install", "-q", *options)
        else:
            # Copies: tests break what is installed, and a link would break the cache of uv too.
            options = (*options, "--link-mode", "copy")
            call(tool, "pip", "install", "--python", self.scripts / "python", *options)

    def uninstall(self, package: str) -> None:
        tool = uv()
        if tool is None:
            call(self.scripts / "python", "-m", "pip", "uninstall", "-q", "-y", package)
        else:
            call(tool, "pip", "uninstall", "--python", self.scripts / "python", package)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build everything once; return the wheels by distribution."""
    folder = tmp_path_factory.mktemp("dist")
    tool = uv()
    for package in PACKAGES:
        if tool is None:
            call(sys.executable, "-m", "build", "--wheel", "--outdir", folder, package)
        else:
            call(tool, "build", "--wheel", "--out-dir", folder, package, cwd=folder)
    return {wheel.name.partition("-")[0].replace("_", "-"): wheel for wheel in folder.glob("*.whl")}


def make_venv(folder: Path) -> None:
    tool = uv()
    if tool is None:
        call(sys.executable, "-m", "venv", folder)
    else:
        call(tool, "venv", "--python", sys.executable, folder)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    base = tmp_path_factory.mktemp("eco system")  # with a space, as people have
    make_venv(base / "venv")
    (base / "work").mkdir()
    made = Environment(folder=base / "venv", work=base / "work", wheels=wheels)
    made.install("handrail", "handrail-utils", "acme-greet")
    return made


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    """Return the environment of an author of packs: the core, and what makes and tests packs."""
    base = tmp_path_factory.mktemp("work shop")
    make_venv(base / "venv")
    (base / "work").mkdir()
    made = Environment(folder=base / "venv", work=base / "work", wheels=wheels)
    made.install("handrail", "handrail-testing")
    return made


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that is installed here but our own packages, for many environments."""
    folder = tmp_path_factory.mktemp("libraries")
    for path in map(Path, {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        for each in path.iterdir():
            if not each.name.startswith(OURS) and each.suffix != ".pth":
                (folder / each.name).symlink_to(each)
    return folder


Fresh = Callable[..., Environment]


@pytest.fixture
def fresh(tmp_path: Path, wheels: dict[str, Path], libraries: Path) -> Fresh:
    """Make a new environment with the packs named, installed one by one in that order."""

    def make(*packages: str) -> Environment:
        base = tmp_path / f"environment {len(list(tmp_path.iterdir()))}"
        make_venv(base / "venv")
        (base / "work").mkdir()
        made = Environment(folder=base / "venv", work=base / "work", wheels=wheels)
        (made.site / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
        for package in ("handrail", *packages):
            for each in (*LIBRARIES.get(package, ()), package):
                made.install_alone(each)
        return made

    return make


Plant = Callable[..., None]


@pytest.fixture
def plant(environment: Environment) -> Iterator[Plant]:
    """Put a pack into the environment, as an installer would leave it, for one test."""
    planted: list[Path] = []

    def make(name: str, code: str, entry_points: str, requires: str = "handrail>=0.1") -> None:
        module = name.replace("-", "_")
        package, info = environment.site / module, environment.site / f"{module}-1.0.dist-info"
        planted.extend((package, info))
        files = {
            package / "__init__.py": textwrap.dedent(code),
            info / "METADATA": (
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
            ),
            info / "entry_points.txt": textwrap.dedent(entry_points),
            info / "INSTALLER": "test\n",
        }
        for file, text in files.items():
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        names = [f"{file.relative_to(environment.site).as_posix()},," for file in files]
        record = info / "RECORD"
        record.write_text("\n".join([*names, f"{info.name}/RECORD,,", ""]), encoding="utf-8")

    yield make
    for folder in planted:
        shutil.rmtree(folder, ignore_errors=True)
