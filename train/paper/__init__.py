"""The paper's tables, its systems trained and scored alike: `retina-reproduce`. No measure of its own."""
