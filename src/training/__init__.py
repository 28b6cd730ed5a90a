"""Training and judging models: splits by time, metrics, intervals, grades, alarms.

- `splits`: windows of cutoffs by global time, folds for tuning and for cross-fitting
- `metrics`: every metric with its formula, and the catalogue of their names
- `evaluate`: metrics with bootstrap intervals, gains over the rule, grades, the calibration band
- `alarms`: results that are too good to be true
"""
