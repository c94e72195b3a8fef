"""What a model's maps are worth: predictions, measures, intervals, figures: `retina-eval`. Changes no net."""
