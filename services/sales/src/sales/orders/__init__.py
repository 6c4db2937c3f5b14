"""Orders: placed, followed to the customer's door, and shown with all that happened to them."""
