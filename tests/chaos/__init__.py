"""A package, so that the servers they share end with the last of them."""
