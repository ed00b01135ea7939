"""Files and streams through a saved model, in constant memory."""
