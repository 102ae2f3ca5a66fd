"""The append-only record of all facts, its database, and who may write it."""
