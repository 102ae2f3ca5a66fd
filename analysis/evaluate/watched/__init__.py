"""Behaviour watched: learn from some days, tell of what is strange on others."""
