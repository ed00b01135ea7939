"""The report's files for people: report.html, report.md and the model card, rendered from templates."""
