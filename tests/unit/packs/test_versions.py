"""Versions and ranges agree with the reference implementation of PEP 440."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement as Reference
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version as ReferenceVersion

from handrail.packs.requirements import Requirement
from handrail.packs.versions import Version, satisfies

NUMBER = st.integers(0, 3).map(str)


def maybe(strategy):
    return st.just("") | strategy


def joined(*parts):
    return st.tuples(*parts).map("".join)


RELEASES = st.lists(NUMBER, min_size=1, max_size=3).map(".".join)
PUBLIC = joined(
    maybe(st.sampled_from(["v", "1!"])),
    RELEASES,
    maybe(joined(st.sampled_from(["a", "b", "rc", ".beta", "-c", "_pre", "alpha."]), NUMBER)),
    maybe(joined(st.sampled_from([".post", "-", "r", "_rev"]), NUMBER)),
    maybe(joined(st.sampled_from([".dev", "dev", "-DEV"]), maybe(NUMBER))),
)
VERSIONS = joined(PUBLIC, maybe(st.sampled_from(["+abc", "+1", "+ABC.1", "+1.2", "+1_2"])))
OPERATORS = st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "~=", "==="])
SPECIFIERS = joined(OPERATORS, VERSIONS) | joined(
    st.sampled_from(["==", "!=", "<=", "~="]), PUBLIC, st.just(".*")
)


@settings(max_examples=2000)
@given(version=VERSIONS, specifiers=st.lists(SPECIFIERS, max_size=2).map(", ".join))
def test_ranges_agree(version, specifiers):
    """A version is in a range exactly when `packaging` says so, pre-releases counted."""
    try:
        expected = SpecifierSet(specifiers).contains(version, prereleases=True)
    except InvalidSpecifier:
        with pytest.raises(ValueError, match=r"."):
            satisfies(version, specifiers)
    else:
        assert satisfies(version, specifiers) == expected


@settings(max_examples=1000)
@given(a=VERSIONS, b=VERSIONS)
def test_order_agrees(a, b):
    """Versions compare, and hash, as `packaging` has it."""
    left, right = Version.parse(a), Version.parse(b)
    first, second = ReferenceVersion(a), ReferenceVersion(b)
    assert (left < right, left == right) == (first < second, first == second)
    if left == right:
        assert hash(left) == hash(right)


@given(text=st.text(max_size=12) | VERSIONS.map(lambda text: text + "!"))
def test_nonsense_is_refused(text):
    """What `packaging` takes for no version is a ValueError, and the other way round."""
    try:
        ReferenceVersion(text)
    except ValueError:
        with pytest.raises(ValueError, match="is not a version"):
            Version.parse(text)
    else:
        Version.parse(text)


@pytest.mark.parametrize(
    ("version", "specifiers", "fits"),
    [
        ("0.3.0rc1", ">=0.2", True),
        ("0.3.0rc1", ">=0.3", False),
        ("0.2.0.dev3", ">=0.1,<0.2", False),
        ("0.1.0+local", "==0.1", True),
        ("1.4", "~=1.2", True),
        ("2.0", "~=1.2", False),
        ("1.0", "", True),
    ],
)
def test_what_people_mean(version, specifiers, fits):
    """The usual ranges on the core mean what people expect, pre-releases included."""
    assert satisfies(version, specifiers) is fits


TEXTS = [
    "handrail",
    "Handrail>=0.1,<0.2",
    "handrail (>=0.1)",
    "handrail[cli] ~= 0.1",
    "handrail @ https://example.org/handrail.zip",
    "handrail>=0.1 ; python_version < '3.12'",
    'handrail>=9; extra == "test"',
    "handrail>=9; extra == 'test' and python_version>='3.8'",
    "handrail; python_version >= '3.8' and (sys_platform == 'plan9' or os_name != 'x')",
    "handrail; 'linux' in sys_platform or python_full_version > '3.0.0'",
    "handrail; sys_platform not in 'win32 darwin'",
    "handrail; '3.8' <= python_version",
    "handrail; python_version in '2.7, 3.11, 3.13'",
    "handrail; platform_system == 'Linux' or implementation_name == 'cpython'",
    "handrail; python_version ~= '3.8'",
    "handrail; python_version == '3.*'",
    "hand_rail.x<2",
]


@pytest.mark.parametrize("text", TEXTS)
def test_requirements_agree(text):
    """Requirements have the name and range, and apply, as `packaging` has it, with no extra."""
    ours, reference = Requirement.parse(text), Reference(text)
    assert ours.name == reference.name.lower().replace("_", "-").replace(".", "-")
    assert SpecifierSet(ours.specifiers) == reference.specifier
    marker = reference.marker
    assert ours.applies() == (marker is None or marker.evaluate({"extra": ""}))


@pytest.mark.parametrize(
    "text", ["handrail; python", "handrail; == 'x'", "handrail; (os_name == 'x'", "handrail; $"]
)
def test_unreadable_conditions_are_refused(text):
    """A condition that cannot be read is a ValueError that quotes it."""
    with pytest.raises(ValueError, match="is not a condition"):
        Requirement.parse(text).applies()


@pytest.mark.parametrize("text", ["", ">=1", "; x", "-x"])
def test_unreadable_requirements_are_refused(text):
    """What names no distribution is a ValueError that quotes it."""
    with pytest.raises(ValueError, match="is not a requirement"):
        Requirement.parse(text)
