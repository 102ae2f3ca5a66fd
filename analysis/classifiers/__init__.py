"""Classifiers that name the activity of a window; each sibling file offers some."""
