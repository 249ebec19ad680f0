"""Real servers for tests: `servers.fixtures` is a plugin of pytest, loaded by the root conftest.

Everything can be imported without any server installed; tests that need one are then skipped.
"""
