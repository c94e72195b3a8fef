"""What a map measures: densities, calibre, tortuosity, dimension, junctions. No map is computed here."""
