"""From answers to scores, and how far each can be relied on."""
