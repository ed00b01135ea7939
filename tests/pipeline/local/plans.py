"""A plan with one stage in each state."""

from pipeline.planning.plan import StagePlan

PLANS = [
    StagePlan("tokenize", "fresh"),
    StagePlan("split", "restored", ("split.seed 1 -> 2",), where="cache"),
    StagePlan("finetune@42", "runs", ("finetune.learning_rate 1 -> 2",), seconds=40.0),
    StagePlan("report", "pending", waits_for=("finetune@42",), seconds=3.0),
]
