"""Everything that retune raises on purpose.

* RetuneError
  * ParamsError      params.yaml or a recipe is wrong
  * DataError        the data set is missing, unreadable or unusable
  * ModelError       the encoder is missing, unsafe or does not fit
  * TrainingError    fine-tuning cannot start or cannot go on
  * ReportError      results that the report needs are missing or do not fit together
  * PipelineError    the graph, the plan, a revision or a run is not what it must be
    * UnavailableError   a result that dvc.lock names lies in no cache and no remote

A message says what is wrong, where (file, row, key), the value, and what to do about it. It is printed as one
line with exit code 1. Any other exception keeps its traceback: it is a bug of ours.
"""


class RetuneError(Exception):
    """Base of every error that a user can mend."""


class ParamsError(RetuneError):
    """params.yaml or a recipe is wrong."""


class DataError(RetuneError):
    """The data set is missing, unreadable or unusable."""


class ModelError(RetuneError):
    """The encoder is missing, unsafe or does not fit."""


class TrainingError(RetuneError):
    """Fine-tuning cannot start or cannot go on."""


class ReportError(RetuneError):
    """Results that the report needs are missing or do not fit together."""


class PipelineError(RetuneError):
    """The graph, the plan, a revision or a run is not what it must be."""


class UnavailableError(PipelineError):
    """A result that dvc.lock names lies in no cache and no remote."""
