"""Convert files and frames to (H, W, 3) uint8 RGB. Nothing here uses a retina, a model or an engine."""
