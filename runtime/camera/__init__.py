"""`retina-watch`: frames of a camera or a video in, pictures of their vessels out. No map is computed."""
