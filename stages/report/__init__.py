"""The report stage: the numbers of all seeds, a report for people, and the best model as a folder."""
