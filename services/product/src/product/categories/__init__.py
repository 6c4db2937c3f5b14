"""Categories: the tree that the catalogue hangs on."""
