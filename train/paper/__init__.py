"""The paper's tables, its systems trained and scored alike: `retina-reproduce`."""
