"""Turn texts into token ids, once per tokenizer, and count what truncation cuts.

Reads:  data/download/dataset/rows.parquet; tokenizer.json and tokenizer_config.json of data/download/model (not the
        weights, so that another encoder with the same tokenizer reuses the tokens)
Writes: data/tokenize/: tokens/tokens.arrow (id label group split text_key cluster tokens_cut input_ids, unpadded; where
        the encoder tells texts apart, also token_type_ids), labels.json, lengths.csv, stats.json
Params: tokenize

Example: python -m stages.tokenize
"""

import logging
import time

from stages import entry
from stages.files import replace_folder, write_json, write_text
from stages.params import Params
from stages.paths import Paths
from stages.targets.rows import read_rows_target
from stages.tokenize.encoding import write_tokens
from stages.tokenizer import open_tokenizer
from stages.tokens import TOKENS_FILE

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths) -> dict[str, float]:
    start = time.perf_counter()
    with replace_folder(paths.tokens) as folder:
        lengths = write_tokens(
            paths.rows,
            folder / TOKENS_FILE,
            opened=open_tokenizer(paths.encoder),
            max_length=params.tokenize.max_length,
            truncation=params.tokenize.truncation,
        )
    stats = lengths.stats()
    speed = stats["rows"] / (time.perf_counter() - start)
    log.info("tokenized %.0f rows per second", speed)
    write_json(paths.labels, read_rows_target(paths.rows).to_json())
    write_text(paths.lengths, lengths.histogram())
    write_json(paths.token_stats, stats)
    return {"rows_per_second": round(speed)}


if __name__ == "__main__":
    entry.run(main, stage="tokenize", doc=__doc__)
