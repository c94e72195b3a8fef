"""Models that come with the package: ONNX files and their specs. No code."""
