"""A lock of a pack that was installed from a wheel, as in production."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def lock(environment) -> Iterator[Path]:
    """The lock of the project, gone again when the test is over."""
    file = environment.work / "handrail.lock"
    yield file
    file.unlink(missing_ok=True)


def test_an_installed_wheel_is_locked_with_its_files(environment, lock: Path) -> None:
    assert environment.handrail("lock", "greet").returncode == 0
    text = lock.read_text(encoding="utf-8")
    assert re.search(
        r'id = "acme-greet", version = "0\.1\.0", record = "sha256:[0-9a-f]{64}"', text
    )
    assert str(environment.folder) not in text
    assert environment.handrail("lock", "--check").returncode == 0
    run = environment.handrail("run", "greet", "Ada", "--file", environment.work / "locked.txt")
    assert run.returncode == 0
    assert "(locked)" in run.stderr


def test_installing_it_again_changes_nothing(environment, lock: Path) -> None:
    environment.handrail("lock", "greet")
    environment.uninstall("acme-greet")
    try:
        gone = environment.handrail("lock", "--check")
        assert gone.returncode == 3
        assert "pip install acme-greet" in gone.stdout
    finally:
        environment.install("acme-greet")
    assert environment.handrail("lock", "--check").returncode == 0


def test_a_file_that_came_with_a_rebuilt_wheel_is_noticed(environment, lock: Path) -> None:
    environment.handrail("lock", "greet")
    record = next(environment.site.glob("acme_greet-*.dist-info")) / "RECORD"
    before = record.read_text(encoding="utf-8")
    changed = re.sub(r"(acme_greet/steps\.py,sha256=)\w", r"\1_", before)
    assert changed != before
    try:
        record.write_text(changed, encoding="utf-8")
        run = environment.handrail("run", "greet", "Ada")
        assert run.returncode == 3
        assert "acme-greet 0.1.0 has other files under the same version" in run.stderr
    finally:
        record.write_text(before, encoding="utf-8")
