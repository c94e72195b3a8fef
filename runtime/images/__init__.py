"""Files and frames become arrays: (H, W, 3) uint8 RGB. Nothing here knows a retina, a model or an engine."""
