"""The peer of bench_finetune.py: transformers' Trainer on a table of texts, as its example script sets it up.

    python benchmarks/hf_trainer.py DATA --model DIR [--padding max|batch|group] [--epochs 1] [--max-length 64]

DATA   CSV with columns text,label (integers), or a CoLA TSV (four columns, no header).
--padding  max    every row padded to --max-length (the example script's default)
           batch  padded to the longest row of its batch
           group  the same, with rows of similar length batched together (the Trainer's best setting)
Its last line is JSON: seconds to tokenize, train and predict, accuracy and MCC on --test (or on DATA).
"""

import argparse
import json
import os
import tempfile
import time
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pandas as pd
import torch
from datasets import Dataset
from sklearn.metrics import accuracy_score, matthews_corrcoef
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    default_data_collator,
    set_seed,
)


def read(path: str) -> pd.DataFrame:
    if path.endswith(".tsv"):
        table = pd.read_csv(path, sep="\t", header=None, names=["source", "label", "mark", "text"], quoting=3)
    else:
        table = pd.read_csv(path)
    return table[["text", "label"]]


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train and predict as the arguments (those of the command, if left out) say, and return what is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--test")
    parser.add_argument("--model", required=True)
    parser.add_argument("--padding", choices=["max", "batch", "group"], default="max")
    parser.add_argument("--bf16", action="store_true", help="bf16 products, where the device has them")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--warmup", type=float, default=0.0, help="share of all steps (0 to 1)")
    parser.add_argument("--schedule", choices=["linear", "cosine", "constant"], default="linear")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args(arguments)

    set_seed(args.seed)
    train = read(args.data)
    test = read(args.test) if args.test else train
    if args.rows:
        train = train.sample(args.rows, random_state=0)

    start = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    padding = "max_length" if args.padding == "max" else False

    def encode(batch):
        return tokenizer(batch["text"], truncation=True, max_length=args.max_length, padding=padding)

    train_set = Dataset.from_pandas(train, preserve_index=False).map(encode, batched=True)
    test_set = Dataset.from_pandas(test, preserve_index=False).map(encode, batched=True)
    tokenized = time.perf_counter()

    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=train.label.nunique())
    trainer = Trainer(
        model,
        TrainingArguments(
            tempfile.mkdtemp(),
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            warmup_steps=args.warmup,
            lr_scheduler_type=args.schedule,
            seed=args.seed,
            report_to=[],
            bf16=args.bf16,
            use_cpu=not torch.cuda.is_available(),  # else it has no bf16 on a CPU
            save_strategy="no",
            disable_tqdm=True,
            **({"train_sampling_strategy": "group_by_length"} if args.padding == "group" else {}),
        ),
        train_dataset=train_set,
        data_collator=default_data_collator if args.padding == "max" else DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
    )
    processor = time.process_time()
    trained_seconds = trainer.train().metrics["train_runtime"]
    processor = time.process_time() - processor
    before_predict = time.perf_counter()
    output = trainer.predict(test_set)
    preds = output.predictions.argmax(1)
    found = {
        "peer": f"transformers Trainer, padding={args.padding}",
        "rows": len(train),
        "epochs": args.epochs,
        "tokenize_s": round(tokenized - start, 2),
        "train_s": round(trained_seconds, 2),
        "train_processor_s": round(processor, 2),
        "predict_s": round(time.perf_counter() - before_predict, 2),
        "accuracy": round(accuracy_score(output.label_ids, preds), 4),
        "mcc": round(matthews_corrcoef(output.label_ids, preds), 4),
    }
    print(json.dumps(found))
    return found


if __name__ == "__main__":
    main()
