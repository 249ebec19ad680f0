"""Isolated steps: each attempt runs in a process of its own, which can be killed.

The process of the run starts a helper, which imports what the steps need, and forks a process for
each attempt. The step's process makes its action and its context again, as a resumed run does, and
talks to the run through a socket: what it records is in the journal before the call returns.
"""
