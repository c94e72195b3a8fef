"""The bundled models: ONNX files and their specs. No code."""
