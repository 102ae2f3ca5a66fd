"""How long a device answers to an activity, and what accuracy has of it."""
