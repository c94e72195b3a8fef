"""What all commands share: messages, signals, exit codes. Nothing here knows an image or a model."""
