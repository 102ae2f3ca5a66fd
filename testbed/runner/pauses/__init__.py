"""What makes a campaign wait, and what of it is done again."""
