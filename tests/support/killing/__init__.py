"""Runs that are killed: workflows to kill, and processes that die where they are told to."""
