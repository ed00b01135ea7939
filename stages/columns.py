"""Names of columns in rows.parquet that more than one stage must know."""

SLICE_PREFIX = "slice:"  # before the name of a column that download keeps as it is, so that results can be sliced by it
