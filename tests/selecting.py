"""Selections that ask for everything: made from the schema, so that a new field is asked for without being named."""

from functools import cache

from graphql import GraphQLField, GraphQLUnionType, get_named_type, is_leaf_type, is_required_argument

from tests.printed import fields_of, implements, members_of, object_types, printed

# Those of them that are sittings, or belong to one; their scene is in tests/sitting_scene.py.
OF_SITTINGS = frozenset(
    {
        "Sitting",
        "SittingEvent",
        "SittingRecipient",
        "SystemCheck",
        "CheckInStep",
        "Section",
        "UnofficialScore",
        "Break",
        "Message",
        "Incident",
        "Recording",
        "Appeal",
    }
)
# Types whose values are rows that not everybody may see.
ROWS = OF_SITTINGS | frozenset(
    {
        "AccountApplication",
        "Invitation",
        "JoinRequest",
        "Candidate",
        "Entry",
        "Result",
        "SkillScore",
        "Share",
        "Institution",
        "VerifierUser",
        "Webhook",
        "ApiKey",
        "Download",
        "DownloadTemplate",
        "Letter",
        "ListCheck",
        "ResultVersion",
        "HolderNotice",
    }
)
# What is shown to whoever proves that they were given its numbers, whosesoever it is: see test_find_result.py.
BY_NUMBERS = frozenset({"FoundResult"})
PAGE = 3


class Everything:
    """Builds one document; its fragments select every field of a type, and of so many rows behind it."""

    def __init__(self) -> None:
        self.fragments: dict[str, str] = {}

    def of(self, type_name: str, rows: int) -> str:
        """A selection of one type, which may enter so many rows, one behind the other."""
        name = f"{type_name}_{rows}"
        if name not in self.fragments:
            self.fragments[name] = ""  # holds the place: a type can lead back to itself
            self.fragments[name] = f"fragment {name} on {type_name} {{ __typename {self._inside(type_name, rows)} }}"
        return f"{{ ...{name} }}"

    def document(self, operation: str) -> str:
        """An operation, with the fragments that it needs."""
        return "\n".join([operation, *self.fragments.values()])

    def _inside(self, type_name: str, rows: int) -> str:
        type_ = printed().type_map[type_name]
        if isinstance(type_, GraphQLUnionType):
            members = [one.name for one in members_of(type_) if not implements(one, "Refusal")]
            return " ".join(["... on Refusal { message }", *(f"... on {one} {self.of(one, rows)}" for one in members)])
        left = rows - 1 if type_name in ROWS else rows
        return " ".join(self._field(type_name, name, field, left) for name, field in fields_of(type_name).items())

    def _field(self, type_name: str, name: str, field: GraphQLField, rows: int) -> str:
        inner = get_named_type(field.type)
        asked = f"{name}{given(f'{type_name}.{name}', field)}"
        if is_leaf_type(inner):
            return asked
        return f"{asked} {self.of(inner.name, rows)}" if inner.name not in ROWS or rows else ""


def given(name: str, field: GraphQLField) -> str:
    """The arguments of a field below the roots: short pages, and nothing else as long as nothing is required."""
    required = [one for one, argument in field.args.items() if is_required_argument(argument)]
    assert not required, f"Say here what to give {name} for {required}."
    return f"(first: {PAGE})" if "first" in field.args else ""


@cache
def leads_to_a_row() -> frozenset[str]:
    """The names of all types whose values are rows, or hold some."""
    leading = set(ROWS) | {"_Entity", "Node"}
    before = 0
    while before != len(leading):
        before = len(leading)
        for name in set(object_types()) - BY_NUMBERS:
            if any(get_named_type(field.type).name in leading for field in fields_of(name).values()):
                leading.add(name)
        for type_ in printed().type_map.values():
            if any(member.name in leading for member in members_of(type_)):
                leading.add(type_.name)
    return frozenset(leading)


def ways_to_sittings(type_name: str) -> set[str]:
    """The fields of a type that are of sittings, or lead to sittings and to no other row."""
    if type_name in OF_SITTINGS:
        return set(fields_of(type_name))
    return {
        name
        for name in ways_to_rows(type_name)
        if _is_of_sittings(get_named_type(fields_of(type_name)[name].type).name)
    }


def _is_of_sittings(type_name: str) -> bool:
    if type_name in ROWS or type_name not in object_types():
        return type_name in OF_SITTINGS
    return ways_to_sittings(type_name) == ways_to_rows(type_name)


def ways_to_rows(type_name: str) -> set[str]:
    """The fields of a type that lead to a row."""
    return {name for name, field in fields_of(type_name).items() if get_named_type(field.type).name in leads_to_a_row()}
