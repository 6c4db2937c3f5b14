"""Back in stock: who asked to be told when there is some of a product again."""
