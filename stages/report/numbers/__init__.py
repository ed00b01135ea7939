"""The report of a number: metrics, baselines, residuals, slices of them, and suspect labels."""
