"""Where the retina is in a picture: ROI mask, fitted disc. Nothing here knows a model or an engine."""
