"""One training, from its options to the released model: `retina-train`. No measure is defined here."""
