"""The evaluate stage: how good one fine-tuned model is on val and test, and how sure that is."""
