"""The athletes and their activities: generated from a seed or loaded from files, cached and edited."""
