"""The step API of the Synapse SDK, served by Handrail."""

__version__ = "0.1.0"
