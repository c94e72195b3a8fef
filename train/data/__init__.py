"""Datasets: layouts, images with labels, augmentation. Nothing here knows a net."""
