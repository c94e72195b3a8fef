"""From a trained checkpoint to the files that devices run."""
