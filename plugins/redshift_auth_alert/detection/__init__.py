"""What was found: the interval, the statement, coverage, the judgement."""
