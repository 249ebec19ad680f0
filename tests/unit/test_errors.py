"""Errors keep their ways out and the notes of their tracebacks in step."""

from __future__ import annotations

from handrail.errors import HandrailError, add_ways_out


def test_ways_out_that_are_found_later_are_notes_too():
    """A program that only prints the traceback sees all of them; empty ones are left out."""
    error = HandrailError("it failed", ways_out=("first", ""))
    add_ways_out(error, "second", "", "third")
    assert error.ways_out == ("first", "second", "third")
    assert error.__notes__ == ["first", "second", "third"]
