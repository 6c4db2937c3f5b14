"""The inventory: what is on the shelf, and what of it is held for whom."""
