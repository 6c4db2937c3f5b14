"""Mail: what customers and operations are told of orderflow, once."""
