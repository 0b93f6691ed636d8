"""What IAM decides by policies: exact for the elements that deploy/template.yaml uses, and an error for any other.

moto's own IAMPolicy knows no conditions but those of role trust.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Statement = Mapping[str, Any]
_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


def is_allowed(
    policies: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
    principal: str = "",
) -> bool:
    """Say whether ``policies`` together allow the request.

    ``principal`` is who asks, such as ``AWS:arn:...``, where the policies are a resource's; a role's own name nobody.
    Raises ValueError for an element, an operator or a policy variable that is not known here.
    """
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if _concerns(statement, action, resource, context or {}, principal)
    }
    return effects == {"Allow"}


def _concerns(statement: Statement, action: str, resource: str, context: Mapping[str, str], principal: str) -> bool:
    if unknown := statement.keys() - _KNOWN:
        raise ValueError(f"elements {unknown} are not known")
    conditions = [
        _holds(operator, key, _several(wanted), context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    ]
    return (
        any(_like(pattern.lower(), action.lower()) for pattern in _several(statement["Action"]))
        and any(_like(pattern, resource) for pattern in _several(statement["Resource"]))
        and _is_principal(statement.get("Principal", ""), principal)
        and all(conditions)
    )


def _is_principal(wanted: str | Mapping[str, Any], principal: str) -> bool:
    if isinstance(wanted, str):
        return wanted in ("*", principal)
    return principal in [f"{kind}:{each}" for kind, names in wanted.items() for each in _several(names)]


def _holds(operator: str, key: str, wanted: list[str], context: Mapping[str, str]) -> bool:
    if operator not in _OPERATORS:
        raise ValueError(f"operator {operator} is not known")
    given = {name.lower(): value for name, value in context.items()}.get(key.lower())
    return given is not None and any(_OPERATORS[operator](each, given) for each in wanted)


def _like(pattern: str, text: str) -> bool:
    if "${" in pattern:
        raise ValueError(f"{pattern}: policy variables are not known")
    parts = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(parts.get(each, re.escape(each)) for each in pattern), text, re.DOTALL))


def _arn_like(pattern: str, arn: str) -> bool:
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringLike": _like,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
}
