"""The model spec and the models bundled with the package. No engine is opened here."""
