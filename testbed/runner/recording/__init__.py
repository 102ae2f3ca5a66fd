"""The rolling capture beside the trials, what it proves, and its clock."""
