"""What others see of Delivery: shipments, carriers, and the work of the warehouse."""
