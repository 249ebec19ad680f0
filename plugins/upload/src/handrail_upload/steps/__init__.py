"""The steps of uploads and downloads, each in a module of its own."""
