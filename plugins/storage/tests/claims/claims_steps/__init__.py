"""Runs that go one request at a time, as a test says, and are killed between any two."""
