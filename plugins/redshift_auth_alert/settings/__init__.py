"""What may be asked: settings and their bounds, monitor files, sources."""
