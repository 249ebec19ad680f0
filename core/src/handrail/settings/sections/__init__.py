"""Readers for the sections of the project file, one module each."""
