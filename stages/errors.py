"""The errors that retune raises for what a user can fix.

* RetuneError
  * ParamsError      params.yaml or a recipe is wrong
  * DataError        the data set is missing, unreadable or unusable
  * ModelError       the model is missing, unsafe or does not fit
  * TrainingError    fine-tuning can't start or can't continue
  * ReportError      results that the report needs are missing or contradict each other
  * OrphanError      DVC, which started a stage, has ended
  * OutOfMemoryError the machine's or the GPU's memory is full
  * PipelineError    the graph, the plan, a revision or a run is broken or can't be used
    * UnavailableError   a result that dvc.lock names is in no cache and no remote

A message says what is wrong, where (file, row, key), the value, and what to do. It is printed as one line, and the
exit code is 1. Any other exception keeps its traceback: it is a bug in retune.
"""


class RetuneError(Exception):
    """Base of every error that a user can fix."""


class ParamsError(RetuneError):
    """params.yaml or a recipe is wrong."""


class DataError(RetuneError):
    """The data set is missing, unreadable or unusable."""


class ModelError(RetuneError):
    """The model is missing, unsafe or does not fit."""


class TrainingError(RetuneError):
    """Fine-tuning can't start or can't continue."""


class ReportError(RetuneError):
    """Results that the report needs are missing or contradict each other."""


class OrphanError(RetuneError):
    """DVC, which started a stage, has ended."""


class OutOfMemoryError(RetuneError):
    """The machine's or the GPU's memory is full."""


class PipelineError(RetuneError):
    """The graph, the plan, a revision or a run is broken or can't be used."""


class UnavailableError(PipelineError):
    """A result that dvc.lock names is in no cache and no remote."""
