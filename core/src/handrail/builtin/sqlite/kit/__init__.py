"""The kit for journals in SQL databases."""
