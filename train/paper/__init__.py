"""`retina-reproduce`: the paper's systems, trained and scored alike. No measure is defined here."""
