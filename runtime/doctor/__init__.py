"""`retina-doctor`: what this machine has, and whether it computes what it should. It changes nothing."""
