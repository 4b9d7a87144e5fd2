"""Reads our code without running it: which refusals a function can raise, itself or through whatever it mentions."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTHING: frozenset[str] = frozenset()
CLASS_CHECKS = ("isinstance", "issubclass")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*rooms: str) -> dict[str, str]:
    """The text of every module of these rooms, by dotted name."""
    files = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    return {dotted(path): path.read_text("utf-8") for path in files}


def dotted(path: Path) -> str:
    """The name that a file is imported by."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of ours in a body, and the exceptions that are caught round it."""

    name: str
    caught: frozenset[str]


@dataclass(slots=True)
class Place:
    """Where a body stands: its module, what names mean there, and its class."""

    module: str
    names: dict[str, str] = field(default_factory=dict)
    class_name: str = ""


class Program:
    """Modules, and what each of their functions mentions.

    A function that is mentioned counts as called, so callbacks and properties count too; a method of something whose
    class cannot be read off counts as every method of that name. `refusals` gives each refusal with its bases.
    """

    def __init__(self, modules: Mapping[str, str], refusals: Mapping[str, frozenset[str]]) -> None:
        self.refusals = refusals
        self.modules = set(modules)
        self.bodies: dict[str, tuple[ast.AST, Place]] = {}
        self.classes: dict[str, tuple[ast.ClassDef, Place]] = {}
        self.methods: dict[str, set[str]] = {}
        self._mentions: dict[str, frozenset[Mention]] = {}  # known already: reading takes longer than walking
        for module, text in modules.items():
            self._read_module(Place(module), ast.parse(text))

    def raised_by(self, function: str) -> dict[str, tuple[str, ...]]:
        """Each refusal that can come out of a function, with the functions it comes through."""
        found: dict[str, tuple[str, ...]] = {}
        waiting: list[tuple[str, frozenset[str], tuple[str, ...]]] = [(function, NOTHING, (function,))]
        seen = {(function, NOTHING)}
        for name, caught, way in waiting:  # grows while it is walked
            for mention in self.mentions(name):
                around = caught | mention.caught
                if mention.name in self.refusals and not self.refusals[mention.name] & around:
                    found.setdefault(mention.name, way)
                elif mention.name in self.bodies and (mention.name, around) not in seen:
                    seen.add((mention.name, around))
                    waiting.append((mention.name, around, (*way, mention.name)))
        return found

    def mentions(self, name: str) -> frozenset[Mention]:
        """What a function or a module's variable mentions."""
        if name not in self._mentions:
            body, place = self.bodies[name]
            self._mentions[name] = frozenset(self._inside(body, place, NOTHING))
        return self._mentions[name]

    # ---- what there is

    def _read_module(self, place: Place, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            place.names.update(imported(node))
        for node in tree.body:
            for name in defined(node):
                place.names[name] = f"{place.module}.{name}"
            if isinstance(node, ast.ClassDef):
                self._read_class(node, place)
            elif isinstance(node, Function | ast.Assign | ast.AnnAssign):
                self.bodies.update({f"{place.module}.{name}": (node, place) for name in defined(node)})

    def _read_class(self, node: ast.ClassDef, place: Place) -> None:
        full = f"{place.module}.{node.name}"
        self.classes[full] = node, place
        for one in node.body:
            if isinstance(one, Function):
                self.bodies[f"{full}.{one.name}"] = one, Place(place.module, place.names, full)
                if not is_graphql(node):  # those are reached by their class, or by the executor
                    self.methods.setdefault(one.name, set()).add(f"{full}.{one.name}")

    # ---- what is mentioned

    def _inside(self, node: ast.AST, place: Place, caught: frozenset[str]) -> Iterator[Mention]:
        match node:
            case ast.Try():
                yield from self._try(node, place, caught)
            case ast.With() | ast.AsyncWith():
                managers = [item.context_expr for item in node.items if not is_suppress(item.context_expr)]
                yield from self._all(managers, place, caught)
                yield from self._all(node.body, place, caught | suppressed(node))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._all([*node.args.defaults, *node.args.kw_defaults, *node.body], place, caught)
            case ast.AnnAssign():
                yield from self._all([node.value], place, caught)
            case ast.Call(func=ast.Name(id=name)) if name in CLASS_CHECKS:
                yield from self._inside(node.args[0], place, caught)
            case ast.Name():
                yield from (Mention(name, caught) for name in self._known(place.names.get(node.id, "")))
            case ast.Attribute():
                yield from (Mention(name, caught) for name in self._attribute(node, place))
                if not isinstance(node.value, ast.Name):  # a class or module before the dot is no call of it
                    yield from self._inside(node.value, place, caught)
            case _:
                yield from self._all(ast.iter_child_nodes(node), place, caught)

    def _all(self, nodes: Iterable[ast.AST | None], place: Place, caught: frozenset[str]) -> Iterator[Mention]:
        for node in nodes:
            if node is not None:
                yield from self._inside(node, place, caught)

    def _try(self, node: ast.Try, place: Place, caught: frozenset[str]) -> Iterator[Mention]:
        yield from self._all(node.body, place, caught.union(*map(swallowed, node.handlers)))
        handlers = (statement for handler in node.handlers for statement in handler.body)
        yield from self._all([*handlers, *node.orelse, *node.finalbody], place, caught)

    def _attribute(self, node: ast.Attribute, place: Place) -> set[str]:
        """The functions, variables and refusals of ours that a name behind a dot can mean."""
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner in ("self", "cls") and place.class_name:
            own = self._method(place.class_name, node.attr)
            return {own} if own else set()
        path = place.names.get(owner)
        if path in self.modules or path in self.classes or path == "errors":
            return self._known(f"{path}.{node.attr}")
        return self.methods.get(node.attr, set())

    def _known(self, path: str) -> set[str]:
        owner, _, name = path.rpartition(".")
        if owner in ("errors", "schema.refusals"):
            return {name} & set(self.refusals)
        if path in self.classes:
            methods = (one.name for one in self.classes[path][0].body if isinstance(one, Function))
            return {f"{path}.{method}" for method in methods if method.startswith("__")}
        if owner in self.classes:
            found = self._method(owner, name)
            return {found} if found else set()
        return {path} & set(self.bodies)

    def _method(self, class_name: str, name: str) -> str | None:
        """The method of this name of a class or of its bases."""
        if f"{class_name}.{name}" in self.bodies:
            return f"{class_name}.{name}"
        node, place = self.classes[class_name]
        bases = [place.names.get(base.id, "") for base in node.bases if isinstance(base, ast.Name)]
        found = (self._method(base, name) for base in bases if base in self.classes)
        return next(filter(None, found), None)


def imported(node: ast.AST) -> dict[str, str]:
    """The names that an import makes, and what each stands for."""
    match node:
        case ast.Import(names=names):
            return {one.asname or one.name.partition(".")[0]: one.name for one in names}
        case ast.ImportFrom(module=str(module), names=names):
            return {one.asname or one.name: f"{module}.{one.name}" for one in names}
    return {}


def defined(node: ast.AST) -> list[str]:
    """The names that a statement of a module makes."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def is_graphql(node: ast.ClassDef) -> bool:
    """Whether a class is a GraphQL type: its methods are fields."""
    return any(ast.unparse(decorator).startswith("strawberry.") for decorator in node.decorator_list)


def swallowed(handler: ast.ExceptHandler) -> frozenset[str]:
    """The exceptions that a handler keeps to itself; none when it raises them again."""
    again = [
        node
        for node in ast.walk(handler)
        if isinstance(node, ast.Raise)
        and (node.exc is None or (isinstance(node.exc, ast.Name) and node.exc.id == handler.name))
    ]
    return NOTHING if again else class_names(handler.type or ast.Name("BaseException"))


def is_suppress(node: ast.expr) -> bool:
    """Whether an expression is a call of `contextlib.suppress`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")


def suppressed(node: ast.With | ast.AsyncWith) -> frozenset[str]:
    """The exceptions that `contextlib.suppress` keeps inside a block."""
    calls = [one for item in node.items if is_suppress(one := item.context_expr)]
    return NOTHING.union(*(class_names(kind) for call in calls if isinstance(call, ast.Call) for kind in call.args))


def class_names(node: ast.expr) -> frozenset[str]:
    """The last parts of one name or of a tuple of names."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return frozenset(ast.unparse(part).rpartition(".")[2] for part in parts)
