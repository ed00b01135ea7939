"""One fine-tune with Lightning: the module, the optimizer, the Trainer, its callbacks and checkpoints."""
