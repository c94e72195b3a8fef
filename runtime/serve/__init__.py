"""`retina-serve`: images in over HTTP, maps out. Only its command and Triton's model import this wing."""
