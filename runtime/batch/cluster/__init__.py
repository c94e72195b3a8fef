"""`retina-run --cluster`: images sent to the actors of a Ray cluster. Imported by that option alone."""
