"""Annotations → claims: read exactly as cloud-provider-azure reads them, oddities included."""

from __future__ import annotations

import pytest

from reconciler.annotations import (
    LB_DISABLE_FLOATING_IP,
    LB_INTERNAL,
    LB_INTERNAL_SUBNET,
    PLS_ANNOTATIONS,
    SETTINGS,
    WRITTEN_BACK,
    entries,
    is_true,
    trim,
)
from reconciler.claims import MAX_UNREAD, Claim, Invalid, Wish, read_claim, shown
from reconciler.model import STANDARD_PREFIX
from tests.builders import service


def claim(settings: dict[str, str] | None = None, **rest: object) -> Claim:
    """The claim of a Service with these settings."""
    return read_claim(service(settings=settings, **rest), STANDARD_PREFIX, "default")  # type: ignore[arg-type]


def wish(settings: dict[str, str] | None = None, **rest: object) -> Wish:
    """A claim's wish, which must be valid."""
    found = claim(settings, **rest).wish
    assert isinstance(found, Wish), found
    return found


def mistakes(settings: dict[str, str], **rest: object) -> str:
    """A claim's mistakes, of which there must be some."""
    found = claim(settings, **rest).wish
    assert isinstance(found, Invalid), found
    return str(found)


# Booleans


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("TRUE", True),
        (" True\t", True),
        ("true\n", True),
        ("\u00a0true", True),
        ("false", False),
        ("yes", False),
        ("1", False),
        ("", False),
        ("true.", False),
        ("\x1ftrue", False),
        (None, False),
    ],
)
def test_booleans_are_trimmed_and_caseless_and_anything_else_is_false(text: str | None, value: bool) -> None:
    """As Go trims: unicode spaces go, the separators that Python's strip also takes do not."""
    assert is_true(text) is value


@pytest.mark.parametrize("text", [" true", "true ", "yes", ""])
def test_floating_ip_is_compared_without_trimming(text: str) -> None:
    """Unlike the other booleans: a padded value does not disable it."""
    assert claim(internal=False, annotations={LB_DISABLE_FLOATING_IP: text}).ineligible
    assert not claim(internal=False, annotations={LB_DISABLE_FLOATING_IP: "TRUE"}).ineligible


@pytest.mark.parametrize("value", [" true ", "True", "TRUE", "1", ""])
def test_internal_is_exactly_true(value: str) -> None:
    """The provider makes a public frontend of everything else, and that is where the Service stands."""
    odd = claim(internal=False, annotations={LB_DISABLE_FLOATING_IP: "", LB_INTERNAL: value})
    assert odd.ineligible


@pytest.mark.parametrize(
    ("families", "ineligible"),
    [(("IPv6",), True), (("IPv4",), False), (("IPv6", "IPv4"), False), (("IPv4", "IPv6"), False)],
)
def test_only_ipv6_alone_is_ineligible(families: tuple[str, ...], ineligible: bool) -> None:
    """Dual stack has an IPv4 frontend, whichever family is first."""
    assert bool(claim(ip_families=families).ineligible) is ineligible


# Which settings count


@pytest.mark.parametrize("name", PLS_ANNOTATIONS)
def test_settings_count_by_presence_and_the_resource_group_does_not(name: str) -> None:
    """Even an empty value is a setting of its own; create and resource group are none."""
    assert claim({name: ""}).has_settings is (name in SETTINGS)
    assert (name in SETTINGS) is (name not in ("create", "resource-group"))


def test_annotations_of_another_prefix_are_not_read() -> None:
    """The prefix is a setting of the cluster."""
    other = read_claim(service(settings={"name": "x"}), "example.com/pls-", "default")
    assert (other.asks, other.has_settings) == (False, False)


# Defaults, names, groups


def test_defaults() -> None:
    """One dynamic address in the default subnet, seen by nobody without permission, nothing else."""
    assert wish() == Wish(name=None, resource_group=None, subnet="default")


@pytest.mark.parametrize("name", ["a", "9", "pls_1.2-x", "x" * 80, " padded "])
def test_names_that_arm_takes(name: str) -> None:
    """Trimmed, 1 to 80."""
    assert wish({"name": name}).name == name.strip()


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 81, "-a", "a-", "a.", "a b", "a/b", "ä", "a\n b", "名", "_a"]
)
def test_names_that_arm_would_refuse_are_mistakes(name: str) -> None:
    """An empty name, too: the peer sends it and fails."""
    assert f"{STANDARD_PREFIX}name" in mistakes({"name": name})


def test_a_blank_resource_group_is_none_and_a_wrong_one_a_mistake() -> None:
    """Trimmed; blank leaves it to the configuration."""
    assert wish({"resource-group": "  "}).resource_group is None
    assert wish({"resource-group": " rg_(1) "}).resource_group == "rg_(1)"
    assert "resource-group" in mistakes({"resource-group": "a/b"})
    assert "resource-group" in mistakes({"resource-group": "a" * 91})


# Subnets


def test_the_subnet_is_the_pls_subnet_then_the_internal_one_then_the_default() -> None:
    """A blank value counts as none, and the internal subnet only for internal Services."""
    lb = {LB_INTERNAL_SUBNET: "lb-subnet"}
    assert wish({"ip-configuration-subnet": "pls"}, annotations=lb).subnet == "pls"
    assert wish({"ip-configuration-subnet": " "}, annotations=lb).subnet == "lb-subnet"
    assert wish(annotations=lb, internal=False).subnet == "default"
    assert wish(annotations={LB_INTERNAL_SUBNET: " "}).subnet == "default"


def test_a_padded_subnet_is_a_mistake_since_the_peer_uses_it_untrimmed() -> None:
    """It looks at the trimmed value and asks ARM for the other."""
    assert "'pls '" in mistakes({"ip-configuration-subnet": "pls "})


def test_a_subnets_resource_id_is_a_mistake_that_says_what_to_write() -> None:
    """A frequent one: the name is wanted."""
    text = mistakes({"ip-configuration-subnet": "/subscriptions/s/x/virtualNetworks/v/subnets/pls"})
    assert "name, not its resource id" in text


# Counts and addresses


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("8", 8), (" 3 ", 3), ("+2", 2), ("007", 7)])
def test_counts_as_go_parses_them(text: str, count: int) -> None:
    """Trimmed, a sign and leading zeros allowed."""
    assert wish({"ip-configuration-ip-address-count": text}).ip_count == count


@pytest.mark.parametrize(
    "text", ["", "0", "9", "-1", "1.0", "1e0", "one", "1_0", "٣", "9" * 5000, "1 2", "0x1"]
)
def test_counts_that_are_refused(text: str) -> None:
    """Outside 1 to 8, or no plain number: one mistake that quotes a readable piece of it."""
    found = mistakes({"ip-configuration-ip-address-count": text})
    assert "1 to 8" in found
    assert len(found) < 400


def test_static_addresses_are_listed_once_and_the_first_is_first() -> None:
    """Duplicates go, order stays; as many as the count allows."""
    got = wish(
        {
            "ip-configuration-ip-address": "10.0.0.2 10.0.0.1 10.0.0.2",
            "ip-configuration-ip-address-count": "3",
        }
    )
    assert (got.static_ips, got.ip_count) == (("10.0.0.2", "10.0.0.1"), 3)


def test_more_static_addresses_than_the_count_are_a_mistake_with_the_way_out() -> None:
    """The default count is one, so two addresses alone fail."""
    text = mistakes({"ip-configuration-ip-address": "10.0.0.2 10.0.0.3"})
    assert "raise the count to at least 2" in text
    many = " ".join(f"10.0.0.{i}" for i in range(1, 100))
    assert "99 addresses" in mistakes(
        {"ip-configuration-ip-address": many, "ip-configuration-ip-address-count": "8"}
    )


@pytest.mark.parametrize("text", ["fd00::1", "10.0.0", "10.0.0.256", "10.0.0.1,10.0.0.2", "10.0.0.01", "x"])
def test_addresses_that_are_no_ipv4_are_a_mistake(text: str) -> None:
    """Commas separate nothing."""
    assert "IPv4" in mistakes({"ip-configuration-ip-address": text})


def test_every_mistake_is_told_at_once() -> None:
    """A person mends all of them in one go."""
    text = mistakes(
        {"name": "", "ip-configuration-ip-address-count": "0", "ip-configuration-ip-address": "x"}
    )
    assert text.count(STANDARD_PREFIX) >= 3


# Lists


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a b", ("a", "b")),
        ("  a   b ", ("a", "b")),
        ("a,b", ("a,b",)),
        ("a\nb", ("a\nb",)),
        ("a\tb \t c", ("a\tb", "c")),
        (" ", ()),
        ("a a", ("a", "a")),
    ],
)
def test_lists_are_split_on_single_spaces_only(text: str, items: tuple[str, ...]) -> None:
    """Entries are trimmed and blanks dropped; commas, tabs and newlines separate nothing."""
    assert entries(text) == items


@pytest.mark.parametrize(("text", "seen"), [("s1 * s2", ("*",)), ("*", ("*",)), ("s1 s2", ("s1", "s2"))])
def test_one_star_in_the_visibility_shows_it_to_everyone(text: str, seen: tuple[str, ...]) -> None:
    """And only for the visibility: automatic approval keeps what is written."""
    got = wish({"visibility": text, "auto-approval": text})
    assert got.visibility == seen
    assert got.auto_approval == tuple(text.split(" "))


@pytest.mark.parametrize("name", ["visibility", "auto-approval"])
def test_more_subscriptions_than_private_link_allows_are_a_mistake(name: str) -> None:
    """A hundred pass, one more does not."""
    listed = [f"s{i}" for i in range(101)]
    assert len(wish({name: " ".join(listed[:100])}).auto_approval) in (0, 100)
    assert "101" in mistakes({name: " ".join(listed)})


def test_a_star_among_more_subscriptions_than_allowed_is_still_everyone() -> None:
    """The peer sends the star alone, and Azure never sees the others."""
    assert wish({"visibility": " ".join(["*", *map(str, range(101))])}).visibility == ("*",)


# Odds and ends


def test_the_hash_tells_a_changed_claim_from_an_unchanged_one() -> None:
    """It is what the settling time and drift go by."""
    assert wish({"fqdns": "a"}).hash == wish({"fqdns": " a "}).hash
    assert wish({"fqdns": "a"}).hash != wish({"fqdns": "b"}).hash
    assert wish({"fqdns": "a"}).hash != wish({"visibility": "a"}).hash


def test_values_are_shown_short_and_without_control_characters() -> None:
    """A message is one readable line whatever the annotation holds."""
    assert shown("a\nb\x1b[31m") == "'a\\nb\\x1b[31m'"
    assert len(shown("x" * 10_000)) < 100


@pytest.mark.parametrize("text", ["\x1ca\x1f", "\x00a"])
def test_trimming_is_gos_not_pythons(text: str) -> None:
    """Information separators stay."""
    assert trim(text) == text


# Annotations that nobody reads


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("visibilty", "visibility"),
        ("VISIBILITY", "visibility"),
        ("ip-configuration-subnets", "ip-configuration-subnet"),
        ("colour", ""),
    ],
)
def test_an_annotation_that_nobody_reads_is_a_warning(name: str, meant: str) -> None:
    """A misspelt one would leave the default in force without a word."""
    [warning] = claim({name: "*"}).warnings
    assert f"azure-pls-{name} has no effect" in warning
    assert warning.endswith(f"(perhaps {STANDARD_PREFIX}{meant} is meant)" if meant else "no such annotation")


def test_annotations_that_are_read_or_written_are_no_mistakes() -> None:
    """Ours, and those of others: only what begins with the prefix is Private Link's."""
    known = dict.fromkeys((*PLS_ANNOTATIONS, *WRITTEN_BACK), "1") | {
        "ip-configuration-ip-address": "10.0.0.1"
    }
    others = {"example.com/visibilty": "*", LB_INTERNAL: "true"}
    assert not [w for w in claim(known, annotations=others).warnings if "no effect:" in w]


def test_of_many_annotations_that_nobody_reads_a_few_are_named() -> None:
    """Whoever writes a Service cannot fill the findings."""
    assert len(claim({f"odd-{number}": "" for number in range(99)}).warnings) == MAX_UNREAD
