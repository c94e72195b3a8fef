"""Torch checkpoints that come with the package, to fine-tune from."""
