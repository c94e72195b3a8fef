"""Retinal vessel segmentation on a device: image in, vessel map out, without torch."""

__version__ = "0.1.0"
