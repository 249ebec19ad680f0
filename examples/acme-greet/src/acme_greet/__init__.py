"""Greets people: a sample pack for Handrail.

`action` is what `handrail run greet` runs, `steps` is for workflows of your own, and `hooks` is
what the pack does to workflows that are not its own.
"""
