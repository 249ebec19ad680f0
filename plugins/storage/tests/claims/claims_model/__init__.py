"""A model of runs that share a target: each request is one step, and all interleavings are seen.

`target` is what lies there and the requests, `run` and `undo` are the programs, `world` puts a few
runs beside each other and says what must hold, `explore` visits all that can happen.
"""
