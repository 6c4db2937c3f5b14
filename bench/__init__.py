"""How fast orderflow takes and delivers orders, as ratios against a floor that is measured in the same run."""
