"""The processes that a run starts, each in a group of its own, and what they say to each other.

A helper starts them, reaps them and kills them: it has no threads, and it ends with the run.
"""
