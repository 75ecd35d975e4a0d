"""Seeded randomness: the same seed always generates the same dataset."""

from random import Random


class SeededRandom(Random):
    """A random number generator seeded by a text; the same text gives the same sequence on every machine."""

    def chance(self, probability: float) -> bool:
        """True with `probability` (0 to 1)."""
        return self.random() < probability

    def near(self, middle: float, spread: float) -> float:
        """A value around `middle`, at most `spread` (a fraction of it) away; small deviations are more likely."""
        return middle * (1 + spread * (self.random() + self.random() - 1))
