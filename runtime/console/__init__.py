"""What all commands share: messages, signals, exit codes. Nothing here uses an image or a model."""
