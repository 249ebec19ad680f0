from __future__ import annotations

from importlib.metadata import version

import handrail_workers


def test_the_distribution_has_the_version_of_the_package() -> None:
    assert version("handrail-workers") == handrail_workers.__version__
