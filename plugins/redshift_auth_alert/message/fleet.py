"""Words for where: at which of many warehouses a group failed, and at which and from which host it signed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redshift_auth_alert.detection.findings import Breach, Details, Login
from redshift_auth_alert.message.words import shown
from redshift_auth_alert.settings.english import counted, listed


def where_failed(details: Details, write: Callable[[str], str] = shown) -> str:
    """Say at which warehouses a group failed, each by ``write``, most failures first; '' where the log holds one."""
    if not details.warehouses:
        return ""
    named = [write(each.warehouse) for each in details.top_warehouses]
    return f"at {counted(details.warehouses, 'warehouse')}: {listed(named, details.warehouses)}"


def where_signed_in(login: Login, write: Callable[[str], str] = shown) -> str:
    """Say where a group signed in, to be appended: at which warehouse of many, and from which host.

    Of a host, it says whether that had failed before, where that is known: who owns a tried account signs in too.
    '' where the log holds one warehouse and the group names its host.
    """
    at = "" if login.warehouse is None else f" at {write(login.warehouse)}"
    if login.host is None:
        return at
    failed = {True: ", which had failed too", False: ", which had not failed", None: ""}[login.host_failed]
    return f"{at} from {write(login.host)}{failed}"


def failed_at(breaches: Sequence[Breach]) -> list[str]:
    """Return the warehouses at which these groups failed most; none where the log holds one."""
    of_groups = [breach.group["warehouse"] for breach in breaches if "warehouse" in breach.group]
    of_details = [each.warehouse for breach in breaches if breach.details for each in breach.details.top_warehouses]
    return list(dict.fromkeys(of_groups + of_details))
