"""NVIDIA's driver by ctypes: devices, contexts, graphs. Nothing here knows a model."""
