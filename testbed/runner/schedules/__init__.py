"""When campaigns are due, and who runs them then."""
