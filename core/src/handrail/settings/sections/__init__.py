"""One module for each section of the project file; each reads one table into values."""
