"""The kill harness: controllers are killed at every moment, campaigns must not care."""
