"""The console scripts of this room, thin: they say what is not installed before torch is imported."""
