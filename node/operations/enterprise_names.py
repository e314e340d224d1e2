"""The name of an enterprise, and whom to ask for there, as somebody entered them."""

from __future__ import annotations

from node.operations.order_refusals import OrderRefusal

LONGEST_NAME = 100  # letters
NAMED, NAMED_WHY = "enterprise_named", "登记企业名称与联系人"


def enterprise_named(company: str, contact: str) -> dict[str, str]:
    """Return what is known of an enterprise now, as changes of its order: only what was entered.

    OperationRefused if that is nothing, or too long.
    """
    entered = {"company": " ".join(company.split()), "contact": " ".join(contact.split())}
    if any(len(name) > LONGEST_NAME for name in entered.values()):
        raise OrderRefusal.TEXT_TOO_LONG.error(most=str(LONGEST_NAME))
    named = {field: name for field, name in entered.items() if name}
    if not named:
        raise OrderRefusal.NO_TEXT.error()
    return named
