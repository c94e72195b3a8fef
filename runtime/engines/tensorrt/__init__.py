"""The adapter for TensorRT and its parts; TensorRT and pycuda are imported at first use alone."""
