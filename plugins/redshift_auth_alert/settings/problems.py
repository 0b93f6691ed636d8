"""What is wrong in a folder of monitor files: each problem once, and what it stops."""

from __future__ import annotations

from collections import defaultdict

_NAMED = 3  # of what a problem stops


class Problems:
    """Collects problems by the place where they stand."""

    def __init__(self) -> None:
        self._stopped: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)

    def add(self, place: str, text: str, stops: str = "") -> None:
        """Add a problem; ``stops`` is what it stops, where ``place`` does not say that."""
        stopped = self._stopped[place, text]
        if stops:
            stopped[stops] = None

    def messages(self) -> list[str]:
        """Return a message for each place; more than one where its problems stop different monitors."""
        texts = defaultdict(list)
        for (place, text), stopped in self._stopped.items():
            texts[place, tuple(stopped)].append(text)
        return [f"{place}: {'; and '.join(each)}{_stops(stopped)}" for (place, stopped), each in texts.items()]


def _stops(stopped: tuple[str, ...]) -> str:
    if not stopped:
        return ""
    more = f" and {len(stopped) - _NAMED} more" if len(stopped) > _NAMED else ""
    return f"; this stops {', '.join(stopped[:_NAMED])}{more}"
