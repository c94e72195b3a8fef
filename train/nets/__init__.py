"""The nets and their checkpoints. Nothing here reads an image or knows a training loop."""
