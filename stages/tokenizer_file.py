"""A tokenizer.json as it is opened everywhere: checked, with its own truncation and padding off."""

from pathlib import Path

from tokenizers import Tokenizer

from stages.tokenizer_check import check_tokenizer, check_tokenizer_file, tokenizer_errors


def open_tokenizer_file(path: Path, name: str) -> Tokenizer:
    """Open a tokenizer.json of the model that messages call `name`.

    Raises:
        ModelError: It is damaged, can't encode a letter, or lets texts grow without bounds.
    """
    check_tokenizer_file(path, name)
    with tokenizer_errors(name):
        tokenizer = Tokenizer.from_file(str(path))
    return plain(tokenizer, name)


def plain(tokenizer: Tokenizer, name: str) -> Tokenizer:
    """Turn off the truncation and padding of a tokenizer's last use, check it, and return it."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    check_tokenizer(tokenizer, name)
    return tokenizer
