"""Find the retina in an image: ROI mask and fitted disc. Nothing here uses a model or an engine."""
