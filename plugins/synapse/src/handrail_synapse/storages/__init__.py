"""The storages of the files of a plugin: their kinds, their paths, and sessions with them."""
