"""Judge a model: subject-disjoint folds, metrics with intervals, cross-validation, the report."""
