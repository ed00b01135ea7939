"""Names and meanings of the metrics, as the report writes them."""

PROPER = ("Cohen", "Brier", "Pearson", "Spearman")  # names that keep their capital

NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "micro_f1": "Micro F1",
    "mcc": "MCC",
    "kappa": "Cohen's kappa",
    "quadratic_kappa": "Quadratic kappa",
    "mean_absolute_error": "Mean absolute error",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "top_3_accuracy": "Top-3 accuracy",
    "ece": "Calibration error (ECE)",
    "calibrated_log_loss": "Log loss, scaled",
    "calibrated_brier": "Brier score, scaled",
    "calibrated_ece": "Calibration error, scaled",
    "precision": "Precision",
    "recall": "Recall",
    "sample_f1": "Sample F1",
    "subset_accuracy": "Subset accuracy",
    "hamming_loss": "Hamming loss",
    "micro_precision": "Micro precision",
    "micro_recall": "Micro recall",
    "r2": "R2",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "root_mean_squared_error": "Root mean squared error",
    "majority": "Majority class",
    "tfidf": "TF-IDF + logistic regression",
    "frequent_set": "Most frequent set",
}
MEANINGS = {
    "accuracy": "share of rows whose label is predicted correctly",
    "balanced_accuracy": "mean recall of the classes; rare classes count as much as frequent ones",
    "macro_f1": "mean F1 of the classes; rare classes count as much as frequent ones",
    "weighted_f1": "mean F1 of the classes, weighted by their number of rows",
    "micro_f1": "F1 over all rows together; equal to the accuracy if each row has one label",
    "mcc": "Matthews correlation coefficient: 1 is perfect, 0 is no better than chance",
    "kappa": "agreement beyond chance: 1 is perfect, 0 is chance",
    "quadratic_kappa": "agreement beyond chance, where larger errors count more: 1 is perfect, 0 is chance",
    "mean_absolute_error": "mean distance in classes between prediction and label; 0 is perfect",
    "sample_f1": "mean F1 of the rows, each between its labels and its predicted labels; 1 where both are empty",
    "subset_accuracy": "share of rows whose whole set of labels is predicted",
    "hamming_loss": "share of wrong answers, one per row and label; 0 is perfect",
    "micro_precision": "share of the predicted labels that the rows have",
    "micro_recall": "share of the rows' labels that are predicted",
    "r2": "share of the variance of the numbers that the predictions explain: 1 is perfect, 0 is predicting their mean",
    "pearson": "linear correlation of number and prediction: 1 is perfect, 0 is none",
    "spearman": "correlation of their ranks: 1 where the predictions put the rows in their order",
    "root_mean_squared_error": "square root of the mean squared error, in the number's unit; 0 is perfect",
    "auroc": "probability that a row of the class gets a higher score than a row of another class; 0.5 is chance",
    "average_precision": "area under the precision-recall curve, one class against the rest",
    "log_loss": "mean negative logarithm of the label's probability; 0 is perfect",
    "brier": "squared error of the probabilities, summed over the classes; 0 is perfect",
    "top_3_accuracy": "share of rows whose label is among the three most probable",
    "ece": "mean gap between confidence and accuracy, in bins with equal numbers of rows; 0 is perfect",
    "calibrated_log_loss": "log loss after temperature scaling, fitted on val",
    "calibrated_brier": "Brier score after temperature scaling, fitted on val",
    "calibrated_ece": "calibration error after temperature scaling, fitted on val",
}


def inline_name(metric: str) -> str:
    """Return the name of a metric as it stands within a sentence: "macro F1", but "MCC" and "Cohen's kappa"."""
    name = NAMES[metric]
    return name if name.startswith(PROPER) or not name[1:2].islower() else name[0].lower() + name[1:]
