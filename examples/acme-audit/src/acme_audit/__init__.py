"""Writes down who uploaded what, whatever happens: a sample pack for Handrail."""
