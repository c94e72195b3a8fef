"""Files that are not on this machine: object stores by URL. Never here: an image decoded, a model."""
