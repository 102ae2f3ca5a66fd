"""Features: numbers that describe a label window; each sibling file is a family."""
