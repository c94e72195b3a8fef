"""`retina-train`: one training, from its options to the released model. No measure is defined here."""
