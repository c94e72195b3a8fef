"""What a model says of itself: the spec, and the models that come with the package; opens no engine."""
