"""Faults of the virtual lab, each with what a campaign must make of it."""
