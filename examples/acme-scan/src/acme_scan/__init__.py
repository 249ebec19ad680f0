"""Refuses infected files before they leave: a sample pack for Handrail.

`hooks` puts the step of `steps` into every upload, `clamd` and `signatures` are the scanners.
"""
