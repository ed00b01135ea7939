"""Rows as files hold them: what training and predictions read the same way."""
