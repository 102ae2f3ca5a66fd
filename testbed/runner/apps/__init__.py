"""The companion apps: what they are, their app lock, and how they drifted from it."""
