"""The report of label sets: metrics, baselines, each label, calibration, slices, mistakes and suspect labels."""
