"""Returns: what of a delivered order comes back, and the money for it."""
