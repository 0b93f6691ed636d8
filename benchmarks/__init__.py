"""What the budgets promise, measured: ratios within one run, interleaved, medians."""
