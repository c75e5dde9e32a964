"""The Bicep files by themselves: they parse, and what they name is there, used, and said what for."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.infra.bicep import FILES, INFRA, Bicep, bicep, decorators, function_of, module_file

MAIN = INFRA / "main.bicep"
DECLARED = ("parameter", "variable", "resource", "module", "type")
# Of Bicep's own; a misspelt one would be told only by the compiler.
FUNCTIONS = {
    *("any", "concat", "contains", "empty", "endsWith", "environment", "filter", "flatten", "format", "guid"),
    *("items", "join", "last", "length", "loadJsonContent", "loadTextContent", "map", "range", "reduce"),
    *("replace", "resourceGroup", "resourceId", "split", "startsWith", "string", "subscription"),
    *("subscriptionResourceId", "substring", "take", "toLower", "toObject", "union", "uniqueString"),
    # decorators
    *("allowed", "description", "maxLength", "maxValue", "metadata", "minLength", "minValue", "secure"),
}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def names(file: Bicep) -> set[str]:
    return {name for kind in DECLARED for name in file.all(kind)}


@each_file
def test_a_file_is_bicep(path: Path) -> None:
    """A missing brace would be found by whoever deploys."""
    assert bicep(path).errors() == []


@each_file
def test_every_name_is_declared(path: Path) -> None:
    """A misspelt parameter or variable."""
    file = bicep(path)
    assert set(file.used) - names(file) - file.local - FUNCTIONS == set()
    assert file.functions <= FUNCTIONS


@each_file
def test_every_declaration_is_used(path: Path) -> None:
    """A parameter that does nothing: people would set it and wonder."""
    file = bicep(path)
    looked_up = {name for name, found in file.all("resource").items() if found.existing}
    wanted = {*file.all("parameter"), *file.all("variable"), *file.all("type"), *looked_up}
    nested = set(
        re.findall(r"::(\w+)", path.read_text())
    )  # the grammar sees a member where Bicep has a child
    assert wanted - set(file.used) - nested == set()


@each_file
def test_parameters_and_outputs_say_what_for(path: Path) -> None:
    """The parameters' table of the documents is made of these; Required means: has no default."""
    for name, parameter in bicep(path).all("parameter").items():
        word, _, rest = parameter.description.partition(". ")
        assert word in ("Required", "Optional", "Conditional"), name
        assert rest.endswith("."), name
        assert (word == "Required") != parameter.has_default, name
    for name, output in bicep(path).all("output").items():
        assert output.description.endswith("."), name
    for name in bicep(path).all("type"):
        for key, said in bicep(path).type_properties(name).items():
            assert said.startswith(("Required. ", "Optional. ")), f"{name}.{key}"


def modules() -> list[tuple[Path, str]]:
    return [(path, name) for path in FILES for name in bicep(path).all("module")]


@pytest.mark.parametrize(("path", "name"), modules(), ids=lambda part: getattr(part, "name", part))
def test_a_module_gets_what_it_takes(path: Path, name: str) -> None:
    """A parameter that is misspelt, forgotten, or no longer there."""
    module = bicep(path).all("module")[name]
    target = module_file(path, module)
    assert target.is_file(), target
    takes = bicep(target).all("parameter")
    given = set(module.properties("params"))
    assert given <= set(takes)
    assert {n for n, parameter in takes.items() if not parameter.has_default} <= given


@pytest.mark.parametrize(("path", "name"), modules(), ids=lambda part: getattr(part, "name", part))
def test_what_a_function_gives_is_no_choice_to_the_compiler(path: Path, name: str) -> None:
    """BCP036, an error: a call's text for a parameter with @allowed, unless any() says that it is right."""
    module = bicep(path).all("module")[name]
    takes = bicep(module_file(path, module)).all("parameter")
    given = {n: node for n, node in module.properties("params").items() if "allowed" in decorators(takes[n])}
    calls = {n: function_of(node) for n, node in given.items() if node.type == "call_expression"}
    assert {n for n, function in calls.items() if function != "any"} == set()


def outputs_asked_for() -> dict[Path, set[str]]:
    """By module file: the outputs that somebody reads."""
    asked: dict[Path, set[str]] = defaultdict(set)
    for path, name in modules():
        target = module_file(path, bicep(path).all("module")[name])
        asked[target] |= set(re.findall(rf"\b{name}(?:\[\w+\])?!?\.outputs\.(\w+)", path.read_text()))
    return asked


def test_modules_outputs_are_spelled_alike_and_used() -> None:
    """An output that nobody has, or nobody reads."""
    for target, asked in outputs_asked_for().items():
        assert asked == set(bicep(target).all("output")), target.name


def test_every_file_is_part_of_the_deployment() -> None:
    """A module that nobody calls any more."""
    called = {module_file(path, bicep(path).all("module")[name]) for path, name in modules()}
    assert {path.resolve() for path in FILES} - called == {MAIN.resolve()}


def test_resource_types_have_one_well_formed_api_version_each() -> None:
    """2025-13-01, 2025-2-15, or two versions of one type side by side."""
    versions: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        for name, resource in bicep(path).all("resource").items():
            kind, _, version = resource.of.partition("@")
            if not version:  # a child takes its parent's
                assert re.fullmatch(r"[a-zA-Z]+", kind), name
                continue
            assert re.fullmatch(r"Microsoft\.[A-Za-z]+(/[a-zA-Z]+)+", kind), name
            assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])(-preview)?", version), name
            versions[kind].add(version)
    assert {kind: found for kind, found in versions.items() if len(found) > 1} == {}


def test_files_that_are_read_at_build_time_are_there() -> None:
    """loadJsonContent of a file that was moved."""
    for path in FILES:
        for name in re.findall(r"load\w+Content\('([^']+)'\)", path.read_text()):
            assert (path.parent / name).is_file(), f"{path.name}: {name}"


def test_no_key_is_asked_for_or_passed() -> None:
    """One listKeys would bring shared keys back."""
    for path in FILES:
        assert not re.search(
            r"listKeys|listAccountSas|AccountKey=|SharedAccessKey|primaryKey|InstrumentationKey",
            path.read_text(),
        ), path.name
