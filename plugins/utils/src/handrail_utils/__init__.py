"""Logging, timing, validation and retry steps for Handrail."""

__version__ = "0.1.0"
