"""Predict every row with a model that was not trained on it: fold by fold, each by a model of the other folds."""
