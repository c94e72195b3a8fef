"""`retina-run`: read files, write maps, pictures and run.csv. No map is computed here."""
