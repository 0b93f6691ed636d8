"""What is said: the alert and failures as text, JSON, chat or OCSF."""
