"""What others see of Sales: customers, carts and orders."""
