"""Training of the Retina-GAN generator and discriminator, and their evaluation."""
