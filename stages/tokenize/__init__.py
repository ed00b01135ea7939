"""Turn texts into token ids, once per tokenizer, and count what truncation cuts."""
