"""A campaign from its plan to a complete folder, and what it has come to."""
