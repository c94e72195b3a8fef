"""The steps of one image, from its pixels to its map, without an engine: pure functions on arrays."""
