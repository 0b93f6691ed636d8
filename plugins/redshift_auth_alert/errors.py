"""The errors this package raises; each message says what is wrong, what would be valid and what to do."""


class AlertError(Exception):
    """Base of every error that this package raises on purpose."""


class SettingsError(AlertError):
    """A monitor file or a run's overrides hold a setting that is unknown or invalid."""


class IntervalError(AlertError):
    """A run asks for an interval that cannot be evaluated."""


class UnseenError(AlertError):
    """The connection log does not show the interval, so nobody may be told "no breach"."""


class SignInError(AlertError):
    """AWS could not be asked for what a connection signs in with; trying again may help."""
