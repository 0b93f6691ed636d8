"""What brings the project to Amazon MWAA."""
