"""Names of columns in rows.parquet that more than one stage must know."""

SLICE_PREFIX = "slice:"  # before the name of a column that download keeps as it is, so that results can be sliced by it
FLAG_PREFIX = "label:"  # before the name of a column of 0 and 1 that is a label of a set
