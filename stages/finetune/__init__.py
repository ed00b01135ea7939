"""Fine-tune the encoder on train and choose the best epoch on val."""
