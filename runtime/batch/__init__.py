"""`retina-run`: files in, maps and run.csv out; draws pictures for people, computes no map itself."""
