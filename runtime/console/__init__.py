"""What all commands say alike, and how they end. Nothing here knows an image or a model."""
