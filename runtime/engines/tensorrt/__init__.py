"""The adapter for TensorRT and its parts; TensorRT and pycuda are imported only at first use."""
