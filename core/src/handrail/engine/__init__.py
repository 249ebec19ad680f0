"""The sans-IO engine: a generator that decides the next command, and calls no user code.

`machine` plays a run: forward, back with `undo`, and to its end with `finalize`. `attempt` plays
one step and `outcome` keeps its result; `forward_journaled` is the forward loop of a durable run,
and `abort` takes over after an error from outside the steps. `commands` are the requests to a
driver. `RunState` is the state of a run, `Line` that of its steps in sequence.

Steps that run side by side would need a `Line` for each lane, with a context of its own and the
position at which the lane begins; a command beside `GoBack` by which `machine` and
`forward_journaled` hand the lanes to the driver; and in `undo` the order in which steps started
where it now counts positions down. Everything else takes a `Line` and would stay.
"""
