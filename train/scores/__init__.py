"""`retina-eval`: predictions, measures, intervals and figures. No net is changed here."""
