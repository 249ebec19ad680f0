"""Real servers for tests: `servers.fixtures` is a plugin of pytest, loaded by the root conftest.

All of it may be imported where no server is installed; a test that asks for one is then skipped.
"""
