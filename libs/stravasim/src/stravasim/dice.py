"""Seeded chance, so that the same seed always makes the same club."""

from random import Random


class Dice(Random):
    """A random source seeded by a text; the same text gives the same throws on every machine."""

    def chance(self, probability: float) -> bool:
        """True in `probability` (0 to 1) of the throws."""
        return self.random() < probability

    def near(self, middle: float, spread: float) -> float:
        """A value around `middle`, at most `spread` (a fraction of it) away, most often close."""
        return middle * (1 + spread * (self.random() + self.random() - 1))
