"""Params on the command line: options from a model, and parsing of their values."""
