"""The sans-IO engine: a generator that knows what comes next, and calls no user code."""
