"""What customers see and change of themselves, and how they are forgotten. Logging in is `customers`'."""
