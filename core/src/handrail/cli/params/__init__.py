"""Params on the command line: options made from a model, and the values given to them."""
