"""The house rules that can be read off the code: which way imports point, and what the schema owes its readers."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)

from cli import schema_text
from tests.printed import fields_of, implements, members_of, named_types, object_types, payload_of, printed
from tests.reading import ROOT, Function, dotted

BOTTOM = {"errors", "settings"}
ROWS_AND_RULES = {"models", "mailers", "documents", "engine"} | BOTTOM
# What each room may import, itself aside; the arrows of architecture: never back, never round.
ARROWS = {
    "errors": set(),
    "settings": set(),
    "engine": BOTTOM,
    "models": {"engine"} | BOTTOM,
    "mailers": BOTTOM,
    "documents": BOTTOM,
    "resolvers": ROWS_AND_RULES,
    "schema": {"resolvers"} | ROWS_AND_RULES,
    "transport": {"schema", "resolvers"} | ROWS_AND_RULES,
    "demo": {"resolvers", "models", "engine"} | BOTTOM,
    "commands": {"resolvers"} | ROWS_AND_RULES,
    "migrations": {"models"},
    "app": {"transport", "schema", "resolvers"} | ROWS_AND_RULES,
    "cli": {"app", "commands", "demo", "transport", "schema", "resolvers"} | ROWS_AND_RULES,
}
OUTSIDE = {"tests", "benchmarks"}  # use what they like, and nobody uses them
# Who may know a library: the others would have to be rewritten with it.
KNOWN_TO = {
    "strawberry": {"schema", "transport"},
    "graphql": {"schema", "transport"},
    "starlette": {"transport", "app"},
    "uvicorn": {"transport", "cli"},
    "tortoise": {"models", "engine", "migrations"},
    "aiosmtplib": {"mailers"},
    "dkim": {"mailers"},
    "jinja2": {"mailers", "transport"},
    "argon2": {"engine"},
    "PIL": {"engine"},
    "typst": {"documents"},
    "pyhanko": {"documents"},
    "obstore": {"engine"},
    "openpyxl": {"engine"},
    "httpcore2": {"engine", "commands"},
    "standardwebhooks": {"models"},
    "xlsxwriter": {"documents"},
    "cryptography": {"engine", "documents"},
}
LONGEST_FUNCTION = 40

# Lists without pages, each with the reason why it stays short.
SHORT_LISTS = {
    "AccountApplication.flags": "one per kind and domain: at most five",
    "AccountApplicationConnection.edges": "a page",
    "ApplicationFlag.institutions": "at most 20 of them are named",
    "InvitationConnection.edges": "a page",
    "AccessConnection.edges": "a page",
    "ApiKeyConnection.edges": "a page",
    "Candidate.entries": "a person sits few exams in a life",
    "Candidate.results": "one per entry",
    "CandidatesEntered.confirmations": "one per row of an order: 500",
    "CandidatesEntered.problems": "a few per row of an order: 500",
    "ChangePage.nodes": "a page of at most 1,000 (P2)",
    "Download.failedCells": "at most 20 of them are told",
    "DownloadConnection.edges": "a page",
    "DownloadLayout.columns": "as many as a row has fields",
    "DownloadTemplate.columns": "at most 200",
    "ExamSessionConnection.edges": "a page",
    "FoundResult.skillScores": "one per skill of an exam",
    "InboxConnection.edges": "a page",
    "InvalidInput.problems": "one per field of a form",
    "JoinRequestConnection.edges": "a page",
    "ListCheckConnection.edges": "a page",
    "NameDiffers.letters": "as many as a name has letters",
    "MailResent.notResent": "at most as many as were named: 100",
    "Organisation.templates": "an office keeps a handful, 200 at most",
    "Organisation.webhooks": "at most 20",
    "Organisation.users": "the staff of one office",
    "ParkedMailConnection.edges": "a page",
    "Query.exams": "reference data, loaded from a file",
    "Query.institutions": "at most 20 suggestions (S1)",
    "Query.proctors": "who is at work now",
    "Query.sittings": "a person sits few exams in a life; a proctor watches 8, and 100 that wait are shown",
    "Query.verifyResults": "one per pair of an order: 500 (V5)",
    "Result.notices": "at most two",
    "Result.told": "those who had read it, once for each correction",
    "Sandbox.samples": "one per case: some thirty",
    "Result.versions": "few results are corrected, and seldom twice",
    "ResultCorrected.told": "those who had read the version that ended",
    "ResultVersion.skillScores": "one per skill of an exam",
    "Staff.releases": "a few sessions wait for their moment",
    "Result.skillScores": "one per skill of an exam",
    "ResultsLoaded.problems": "a few per row of an order: 500",
    "ShareConnection.edges": "a page",
    "Sitting.checkInSteps": "seven",
    "Sitting.hindered": "as many as there are acts",
    "Sitting.incidents": "what is noted in three hours",
    "Sitting.messages": "each side writes at most 300",
    "Sitting.recipients": "at most 10 are named",
    "Sitting.recordings": "one sitting is recorded once, or in a few parts",
    "Sitting.sections": "one per skill of an exam",
    "Sitting.timeline": "three hours of one test",
    "SittingRules.rules": "a checklist of ten",
    "Sitting.unofficialScores": "Reading and Listening",
    "SittingConnection.edges": "a page",
    "Staff.heldJobs": "one per kind of job",
    "SystemCheck.parts": "six",
    "TemplatePreview.problems": "a few per column of a template: 200",
    "Verification.problems": "one per number of a pair",
    "WebhookDeliveryConnection.edges": "a page",
    "WithdrawnShareConnection.edges": "a page",
}


def files() -> dict[str, Path]:
    """Every module of the repository, found on the disk, by the name that it is imported by."""
    tops = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "var"]
    inside = [path for top in tops for path in top.rglob("*.py") if "node_modules" not in path.parts]
    return {dotted(path): path for path in sorted([*ROOT.glob("*.py"), *inside])}


def room_of(module: str) -> str:
    return module.partition(".")[0]


CODE = {name: ast.parse(path.read_text("utf-8")) for name, path in files().items()}
OURS = {name: tree for name, tree in CODE.items() if room_of(name) not in OUTSIDE}


def imports(tree: ast.AST) -> set[str]:
    """The first part of every name that is imported, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(room_of(one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found.add(room_of(node.module or ""))
    return found


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def test_every_room_has_its_arrows() -> None:
    assert {room_of(module) for module in CODE} - set(ARROWS) - OUTSIDE == set()


@pytest.mark.parametrize("module", OURS)
def test_imports_point_the_allowed_way(module: str) -> None:
    rooms = imports(OURS[module]) & ({room_of(one) for one in CODE} | set(ARROWS))
    assert rooms - {room_of(module)} - ARROWS[room_of(module)] == set()


@pytest.mark.parametrize("library", KNOWN_TO)
def test_a_library_is_known_to_the_rooms_that_are_built_on_it(library: str) -> None:
    assert {room_of(module) for module, tree in OURS.items() if library in imports(tree)} <= KNOWN_TO[library]


def test_the_schema_never_asks_a_table() -> None:
    """It may name what a row is, and asks resolvers for it."""
    asks = {
        f"{module}: {one.name}"
        for module, tree in OURS.items()
        for node in ast.walk(tree)
        if room_of(module) == "schema" and isinstance(node, ast.ImportFrom)
        for one in node.names
        if f"{node.module}.{one.name}".startswith("engine.database") and one.name != "Row"
    }
    assert asks == set()


@pytest.mark.parametrize("module", CODE)
def test_nothing_is_imported_inside_a_function(module: str) -> None:
    inside = [node for one in functions(CODE[module]) for node in ast.walk(one)]
    assert [ast.unparse(node) for node in inside if isinstance(node, ast.Import | ast.ImportFrom)] == []


@pytest.mark.parametrize("module", OURS)
def test_no_function_passes_forty_lines(module: str) -> None:
    long = {one.name: (one.end_lineno or 0) - one.lineno + 1 for one in functions(OURS[module])}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}


# ---- the schema


def test_the_committed_schema_is_the_one_that_the_code_prints() -> None:
    """`make schema` writes it; a reviewer sees a change of the API as a change of this file."""
    assert (ROOT / "schema.graphql").read_text("utf-8") == schema_text()


def described() -> Iterator[tuple[str, str | None]]:
    """Everything in the schema that has a name, with its description."""
    for name, type_ in named_types().items():
        yield name, type_.description
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type_.fields.items():
                if not field_name.startswith("_"):
                    yield f"{name}.{field_name}", field.description
                    yield from ((f"{name}.{field_name}({one}:)", arg.description) for one, arg in field.args.items())
        if isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{one}", field.description) for one, field in type_.fields.items())
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{one}", value.description) for one, value in type_.values.items())


def test_everything_in_the_schema_has_a_description() -> None:
    assert [name for name, description in described() if not (description or "").strip()] == []


@pytest.mark.parametrize("mutation", fields_of("Mutation"))
def test_a_mutation_takes_one_input_and_answers_one_success_or_a_refusal(mutation: str) -> None:
    field = fields_of("Mutation")[mutation]
    assert list(field.args) == ["input"]
    assert isinstance(field.args["input"].type, GraphQLNonNull)
    assert isinstance(get_named_type(field.args["input"].type), GraphQLInputObjectType)
    assert isinstance(field.type, GraphQLNonNull)
    successes = [one.name for one in payload_of(mutation).types if not implements(one, "Refusal")]
    assert len(successes) == 1, successes


def test_every_refusal_can_be_shown_by_a_client_that_does_not_know_it() -> None:
    refusal = printed().type_map["Refusal"]
    assert list(fields_of("Refusal")) == ["message"]
    assert len(members_of(refusal)) > 10


def is_list(field: GraphQLField) -> bool:
    type_ = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return isinstance(type_, GraphQLList)


def fields_where(wanted: Callable[[GraphQLField], bool]) -> dict[str, GraphQLField]:
    """All fields of object types that are wanted, as `Type.field`."""
    fields = {
        f"{name}.{one}": field
        for name, type_ in object_types().items()
        for one, field in type_.fields.items()
        if not one.startswith("_")
    }
    return {name: field for name, field in fields.items() if wanted(field)}


def test_a_list_that_can_grow_is_a_connection() -> None:
    plain = fields_where(lambda field: is_list(field) and not is_leaf_type(get_named_type(field.type)))
    assert set(plain) == set(SHORT_LISTS)


def test_a_connection_is_paged_as_clients_expect() -> None:
    """Relay's rules: edges with a node and a cursor, a PageInfo, and `first` and `after` to go on."""
    connections = fields_where(lambda field: "pageInfo" in getattr(get_named_type(field.type), "fields", {}))
    assert set(connections) >= {"Query.inbox", "Candidate.shares", "Result.shares"}
    for name, field in connections.items():
        assert {"first", "after"} <= set(field.args), name
        edge = get_named_type(fields_of(get_named_type(field.type).name)["edges"].type)
        assert set(fields_of(edge.name)) == {"node", "cursor"}, name
