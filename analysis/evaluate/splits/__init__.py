"""Ways to part trials into training and test, and when one is refused."""
