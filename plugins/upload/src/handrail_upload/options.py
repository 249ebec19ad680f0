"""The option that `handrail resume` has for uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from handrail.cli import Option
from handrail.frozen import replace

if TYPE_CHECKING:
    from handrail.cli import ResumeRequest


def with_changes(request: ResumeRequest) -> ResumeRequest:
    """Return the request to resume an upload although files have changed, if that is asked for."""
    value = request.values.get("on_changed")
    if value is None:
        return request
    return replace(request, params={**request.params, "on_changed": value})


on_changed = Option(
    click_params=[
        click.Option(
            ["--on-changed"],
            type=click.Choice(["fail", "skip", "take"]),
            help="Of an upload: for files that have changed or vanished since it began, stop, skip "
            "them, or take them as they are.",
        ),
    ],
    apply=with_changes,
)
