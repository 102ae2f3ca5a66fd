"""Honest scores: named splits, no leaks, intervals over sessions, a null beside."""
