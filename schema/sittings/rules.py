"""The checklist of rules of a sitting at home (H1)."""

from datetime import datetime
from enum import Enum

import strawberry

from engine.database import Row
from engine.languages import told
from models.sittings.rules import RULES, RULES_VERSION, Rule
from schema.costs import list_of


@strawberry.enum(description="What a rule of a sitting is about.")
class SittingRuleKind(Enum):
    ROOM = strawberry.enum_value("ROOM", description="A quiet, bright room.")
    DESK = strawberry.enum_value("DESK", description="A clear desk.")
    ALONE = strawberry.enum_value("ALONE", description="No other people.")
    DOCUMENT = strawberry.enum_value("DOCUMENT", description="An accepted identity document.")
    NOTES = strawberry.enum_value("NOTES", description="An erasable surface for notes.")
    MIRROR = strawberry.enum_value("MIRROR", description="A mirror or a phone, for check-in only.")
    HEADSET = strawberry.enum_value("HEADSET", description="No headset.")
    EARS = strawberry.enum_value("EARS", description="No jewellery, and ears that can be seen.")
    PROGRAMS = strawberry.enum_value("PROGRAMS", description="Other programs closed.")
    LINE = strawberry.enum_value("LINE", description="No other device on the line.")


@strawberry.type(description="A rule of a sitting.")
class SittingRule:
    kind: SittingRuleKind = strawberry.field(description="What it is about.")
    text: str = strawberry.field(description="The rule, as the candidate accepts it, in the viewer's language.")


@strawberry.type(description="The checklist of rules of a sitting, which the candidate reads before and accepts.")
class SittingRules:
    version: str = strawberry.field(description="Version of the checklist.")
    rules: list[SittingRule] = strawberry.field(description="The rules, in order.", directives=[list_of(len(Rule))])

    @classmethod
    def told_in(cls, language: str) -> "SittingRules":
        """The checklist of today."""
        rules = [SittingRule(kind=SittingRuleKind(rule.value), text=told(RULES[rule], language)) for rule in Rule]
        return cls(version=RULES_VERSION, rules=rules)


@strawberry.type(description="What the candidate accepted at the check-in.")
class AcceptedRules:
    version: str = strawberry.field(description="Version of the checklist.")
    text: str = strawberry.field(description="The rules as they were told then, one a line.")
    language: str = strawberry.field(description="The language in which they were told, `en` or `ja`.")
    accepted_at: datetime = strawberry.field(description="When the proctor confirmed that they are accepted, UTC.")

    @classmethod
    def of(cls, row: Row) -> "AcceptedRules | None":
        """Those of a row of `parts.STEPS`; None for every other step."""
        if row["rules_version"] is None:
            return None
        facts = {name: row[f"rules_{name}"] for name in ("version", "text", "language")}
        return cls(**facts, accepted_at=row["confirmed_at"])
