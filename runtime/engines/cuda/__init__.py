"""NVIDIA's driver through ctypes: devices, contexts, graphs. Nothing here uses a model."""
