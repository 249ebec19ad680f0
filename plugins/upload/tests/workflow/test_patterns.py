"""Patterns: they mean what they mean to git, and take no time whatever they look like."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail_upload.errors import SourceError
from handrail_upload.patterns import Patterns

Ignored = Callable[[list[str], list[str]], set[str]]

SEGMENTS = (
    *("*", "**", "***", "**a", "a", "b", "ab", "*a", "a*", "b*a*", "a*b*", "*a*b", "*.*"),
    *("?", "a?", "[ab]", "[!a]", "[^b]", "[a-b]?", "[b-a]", "[]a]", "\\["),
)
LINES = st.tuples(
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map("/".join),
    st.sampled_from(["", "", "/", " "]),
).map("".join)
NAMES = st.text("aab.!-[", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def ignored(tmp_path_factory: pytest.TempPathFactory) -> Ignored:
    """Return a function that asks git which paths these lines ignore."""
    repository = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", repository], check=True)

    def _ignored(lines: list[str], paths: list[str]) -> set[str]:
        Path(repository, ".git/info/exclude").write_text("".join(f"{line}\n" for line in lines))
        done = subprocess.run(
            ["git", "-C", repository, "check-ignore", "--no-index", "-z", "--stdin"],
            input="\0".join(paths) + "\0",
            capture_output=True,
            text=True,
            check=False,
        )
        return set(done.stdout.split("\0")) - {""}

    return _ignored


def left_out(patterns: Patterns, path: str) -> bool:
    """Return whether a walk that enters no folder that fits leaves a file out."""
    *folders, _ = accumulate(path.split("/"), "{}/{}".format)
    return any(patterns.fit(each, is_folder=True) for each in folders) or patterns.fit(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=30))
def test_patterns_mean_what_they_mean_to_git(
    ignored: Ignored, lines: list[str], paths: list[str]
) -> None:
    """In any order, with anchors, folders, stars, sets, and exceptions."""
    patterns = Patterns(lines)
    assert {path for path in paths if left_out(patterns, path)} == ignored(lines, paths)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a*a*a*a*a*a*a*a*a*ab", "a" * 250),
        ("*a?*a?*a?*a?*a?*a?*a?b", "a" * 250),
        ("*[a-b]*[a-b]*[a-b]*[a-b]*[a-b]*c", "ab" * 120),
        ("a/**/a/**/a/**/a/**/a/**/a/**/b", "a/" * 1000 + "a"),
        ("**/a*b/**/a*b/**/a*b/**/a*b/**/c", "ab/" * 1000 + "a"),
    ],
)
def test_no_pattern_goes_back_and_forth(pattern: str, path: str) -> None:
    """Each of these took longer than anybody waits, with one way to divide a name after another."""
    assert not Patterns([pattern]).fit(path)


@pytest.mark.parametrize("pattern", ["!", "//", "a//b", "[ab", "raw/[!]", "a\\", "[[:digit:]]*"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    """It would fit no name, so that what somebody wants to leave out would be uploaded."""
    with pytest.raises(SourceError, match="a pattern is wrong: ") as caught:
        Patterns([pattern])
    assert "such as *.jpg" in caught.value.ways_out[0]


@pytest.mark.parametrize("line", ["", "   ", "# *.jpg", "/"])
def test_a_line_without_a_pattern_fits_nothing(line: str) -> None:
    """Comments and empty lines of a .gitignore file."""
    assert not Patterns([line]).fit("a.jpg")


def test_names_of_any_characters() -> None:
    """A pattern is about characters; a line break is one, and special ones are escaped."""
    assert Patterns(["a?b"]).fit("a\nb")
    assert Patterns(["\\!a"]).fit("!a")
    assert Patterns(["\\#a"]).fit("#a")
    assert Patterns(["a\\ "]).fit("a ")
    assert Patterns(["*.[jJ]pg"]).fit("ä/ö.Jpg")
