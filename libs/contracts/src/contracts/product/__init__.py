"""What others see of Product: the catalogue and the inventory."""
