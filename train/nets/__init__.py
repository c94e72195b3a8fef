"""The nets and their checkpoints. No image is read here, and no training loop used."""
