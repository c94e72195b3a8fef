"""Datasets: layouts, images with labels, augmentation. Nothing here uses a net."""
