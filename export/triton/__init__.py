"""A model in, a Triton model repository out. Nothing here imports torch, onnx or Triton."""
