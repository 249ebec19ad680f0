"""The sans-IO engine: a generator that decides the next command, and calls no user code.

`machine` plays a run: forward, back with `undo`, and to its end with `finalize`, and
on after an error from outside the steps. `step` plays one step, and `outcome` keeps its result; a
`group` plays several at a time. `commands` are the requests to a driver. `RunState` is the state of
a run, `Line` that of its steps in sequence.
"""
