"""Workflows for tests with killed processes, and processes that die at given points."""
