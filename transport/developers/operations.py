"""Every operation of the schema, with what it takes, answers, refuses and costs, and who may ask for it."""

from dataclasses import dataclass
from functools import cache

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, GraphQLUnionType, get_named_type

from schema.build import schema
from schema.documents import document
from transport.developers.examples import Example, examples, in_words
from transport.measure import measured

# Federation's own two, which Strawberry makes without a word.
OF_GATEWAYS = {
    "_entities": "For gateways: entities by their keys, in the order asked; null, with an error, for each that cannot "
    "be had. Whoever asks sees here what they see elsewhere, and nothing more.",
    "_service": "For gateways: the schema as text. In production for those alone who send `X-Schema-Token`.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One field of Query, Mutation or Subscription."""

    kind: str
    name: str
    field: GraphQLField
    example: Example

    @property
    def description(self) -> str:
        """What it does."""
        return self.field.description or OF_GATEWAYS[self.name]

    @property
    def input(self) -> GraphQLInputObjectType | None:
        """The one input that mutations and some queries take."""
        given = self.field.args.get("input")
        type_ = get_named_type(given.type) if given else None
        return type_ if isinstance(type_, GraphQLInputObjectType) else None

    @property
    def refusals(self) -> list[GraphQLObjectType]:
        """The refusals that it can answer with."""
        return [one for one in self._members if _is_refusal(one)]

    @property
    def successes(self) -> list[GraphQLObjectType]:
        """What a mutation answers with when it is done."""
        return [one for one in self._members if not _is_refusal(one)]

    @property
    def _members(self) -> list[GraphQLObjectType]:
        type_ = get_named_type(self.field.type)
        return list(type_.types) if isinstance(type_, GraphQLUnionType) and self.kind == "mutation" else []

    @property
    def who(self) -> list[str]:
        """Who may ask for it, in words."""
        return [in_words(one) for one in self.example.who]

    @property
    def cost(self) -> int:
        """What the example costs."""
        return measured(schema._schema, document(self.example.document), None, self.example.variables).cost


def _is_refusal(type_: GraphQLObjectType) -> bool:
    return any(one.name == "Refusal" for one in type_.interfaces)


def roots() -> dict[str, tuple[str, GraphQLField]]:
    """Every field of Query, Mutation and Subscription, and which of the three it is of."""
    known = schema._schema
    types = {"query": known.query_type, "mutation": known.mutation_type, "subscription": known.subscription_type}
    return {name: (kind, field) for kind, type_ in types.items() if type_ for name, field in type_.fields.items()}


@cache
def operations() -> list[Operation]:
    """All that have an example; a test sees that none has not."""
    written = examples()
    return [Operation(kind, name, field, written[name]) for name, (kind, field) in roots().items() if name in written]


@dataclass(frozen=True, slots=True)
class Group:
    """Operations that the same people ask for, on one page."""

    slug: str
    title: str
    hint: str
    who: frozenset[str]

    @property
    def operations(self) -> list[Operation]:
        """Those whose example is run by one of the group."""
        return [one for one in operations() if one.example.who[0].partition(" ")[0] in self.who]

    @property
    def elsewhere(self) -> list[tuple[str, Operation]]:
        """Those that the group may ask for as well, each with the page that shows it, as others ask for it first."""
        others = [(group.slug, one) for group in GROUPS if group is not self for one in group.operations]
        return [(slug, one) for slug, one in others if {who.partition(" ")[0] for who in one.example.who} & self.who]


GROUPS = (
    Group(
        "programs",
        "For an institution's programs",
        "With an API key. Users of the institution may ask for most of them, too: see who may.",
        frozenset({"key"}),
    ),
    Group("everybody", "For everybody", "Without a credential, or with any.", frozenset({"anybody"})),
    Group(
        "institutions",
        "For users of an institution",
        "With the session of a verifier (`logInVerifier`).",
        frozenset({"reader", "officer", "primary"}),
    ),
    Group("candidates", "For candidates", "With the session of a candidate (`logIn`).", frozenset({"candidate"})),
    Group("proctors", "For proctors", "With the session of a proctor (`logInStaff`).", frozenset({"proctor"})),
    Group("staff", "For staff", "With the session of staff (`logInStaff`).", frozenset({"centre", "board"})),
)
