"""Detectors that notice strange behaviour; each sibling file offers some."""
