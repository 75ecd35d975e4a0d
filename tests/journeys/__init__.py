"""A package, so that the system they share ends with the last of them."""
