"""Categories, the catalogue and the inventory: the stock of orderflow is its alone."""
