"""Scores of what looks for patterns: payloads, length signatures, events."""
