"""The errors that this package raises on purpose: each says what is wrong, what is valid and what to do."""


class AlertError(Exception):
    """Base of the errors that this package raises on purpose."""


class SettingsError(AlertError):
    """A monitor file or a run's overrides hold a setting that is unknown or invalid."""
