"""The sections about what was shared: flows, offers, consents, lineage and the books."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.report.flow_drawing import Money, flow_drawing
from ledger.report.markup import Markup, join, name, tag
from ledger.report.model import (
    Book,
    ChainPart,
    ConsentStory,
    Flow,
    Lineage,
    LineageInput,
    OfferStory,
    SaleStory,
    Story,
)
from ledger.report.parts import identity, section, table
from ledger.report.words import amount, day, plural, size

_COLOURS = "abcdefg"


def flows(chain: ChainPart) -> Markup | None:
    """Who sold what to which fleet, a drawing and a table for each asset."""
    parts = []
    for book in chain.books:
        mine = [flow for flow in chain.flows if flow.asset == book.asset]
        money = Money(book.decimals, book.symbol)
        if mine:
            parts += [flow_drawing(mine, money), _flow_table(mine, money)]
    parts.append(_sales(chain))
    return section(
        "Flows of data and payments",
        "Data goes from left to right, money back; a band is as wide as what was paid. Of a "
        "buyer the chain knows the fleet, and neither does this report know more.",
        *parts,
    )


def _flow_table(flows: Sequence[Flow], money: Money) -> Markup | None:
    rows = [
        [
            name(flow.seller),
            name(flow.buyer_fleet),
            f"{flow.grants:,}",
            size(flow.granted_bytes),
            money.words(flow.paid),
            money.words(flow.held) if flow.held else "—",
        ]
        for flow in sorted(flows, key=lambda flow: (-flow.paid, flow.seller, flow.buyer_fleet))
    ]
    foot = [
        "together",
        "",
        f"{sum(flow.grants for flow in flows):,}",
        size(sum(flow.granted_bytes for flow in flows)),
        money.words(sum(flow.paid for flow in flows)),
        money.words(sum(flow.held for flow in flows)),
    ]
    heads = ["seller", "buyer", "#grants", "#granted", "#paid", "#set aside"]
    return table(heads, rows, foot if len(rows) > 1 else ())


def _sales(chain: ChainPart) -> Markup | None:
    names = {book.asset: book for book in chain.books}

    def words(sale: SaleStory) -> str:
        book = names.get(sale.asset)
        return amount(sale.amount, book.decimals, book.symbol) if book else f"{sale.amount:,}"

    rows = [[each.what, f"{each.count:,}", words(each)] for each in chain.sales]
    made = table(["how they stand", "#number", "#amount"], rows)
    return join(tag("h3", "Streams and sales"), made) if made else None


# Offers, consents, lineage, books


def offers(chain: ChainPart) -> Markup | None:
    """What is offered."""
    rows = [_offer(each) for each in chain.offers]
    heads = ["recording", "contract", "proven of it", "#size", "#grants", "since"]
    return section(
        "Offers",
        "What is proven of a recording holds for the entry that its robot signed; the values "
        "themselves are hidden.",
        table(heads, rows),
    )


def _offer(offer: OfferStory) -> list[object]:
    tags = ", ".join(offer.tags)
    bounds = [tag("div", each) for each in offer.bounds]
    return [
        join(
            name(offer.origin),
            f", entry {offer.index:,}",
            tag("div", name(tags), class_="soft small") if tags else None,
        ),
        name(offer.contract),
        join(*bounds) if bounds else tag("span", "nothing", class_="soft"),
        size(offer.content_bytes),
        f"{offer.grants:,}",
        join(
            tag("span", day(offer.time_ns), class_="nb"),
            tag("div", f"withdrawn in block {offer.withdrawn_height:,}", class_="soft small")
            if offer.withdrawn_height
            else None,
        ),
    ]


def consents(chain: ChainPart) -> Markup | None:
    """Consents, and what was shown of erasures."""
    rows = [_consent(each) for each in chain.consents]
    heads = ["consent", "log", "purpose", "#records", "given", "state"]
    return section(
        "Consents, notices and receipts",
        "Whom a consent is about is a salted commitment: nobody can read it here.",
        table(heads, rows),
    )


def _consent(consent: ConsentStory) -> list[object]:
    missing = consent.records - consent.erased
    state: Markup
    if not consent.withdrawn_ns:
        shown = "in force" if consent.acknowledged else "given, not acknowledged by the robot"
        if consent.erased:
            shown = f"{shown}, {consent.erased:,} erased"
        state = tag("span", shown)
    elif missing:
        state = tag("span", f"withdrawn; {plural(missing, 'erasure')} to be shown", class_="bad")
    else:
        state = tag("span", "withdrawn; every erasure shown", class_="good")
    since = tag("div", f"on {day(consent.withdrawn_ns)}", class_="soft small")
    return [
        identity(consent.id),
        name(consent.origin),
        name(consent.purpose),
        f"{consent.records:,}",
        tag("span", day(consent.given_ns), class_="nb"),
        join(
            state,
            since if consent.withdrawn_ns else None,
            *(tag("div", each, class_="soft small") for each in consent.notices),
        ),
    ]


def lineage(story: Story) -> Markup | None:
    """Models and what they were trained on; and what was bought and not yet used."""
    used = {each.record for model in story.lineages for each in model.inputs}
    idle = [each for each in story.purchases if each.record not in used]
    trees = [_tree(each) for each in story.lineages]
    bought = None
    if idle:
        bought = join(
            tag("h3", "Bought, and no model was trained on it"),
            tag("ul", tag("li", _inputs(idle)), class_="tree"),
        )
    return section(
        "Lineage",
        "As fleets registered it on the chain, and as the homes that were given say it in entries "
        "that they signed. Homes tell what a robot bought: keep such a page among those who may "
        "know."
        if story.chain
        else "As the home says it in entries that it signed.",
        tag("ul", *trees, class_="tree") if trees else None,
        bought,
    )


def _tree(model: Lineage) -> Markup:
    return tag(
        "li",
        tag("b", name(model.model)),
        tag(
            "span",
            " · registered by " if model.registered else " · ",
            name(model.origin),
            ", ",
            identity(model.record),
            class_="soft small",
        ),
        _inputs(model.inputs),
    )


def _inputs(inputs: Iterable[LineageInput]) -> Markup:
    ordered = sorted(inputs, key=lambda each: (each.bought, each.seller, each.record))
    return tag("ul", *(_input(each) for each in ordered))


def _input(each: LineageInput) -> Markup:
    called = join(name(each.name), " ") if each.name else None
    missing = None if each.known else tag("span", " · not found", class_="bad")
    if not each.bought:
        said = tag("span", "own, ", identity(each.record), class_="soft small")
        return tag("li", called, said, missing)
    said = tag(
        "span",
        "bought from ",
        name(each.seller),
        " under ",
        name(each.contract),
        f", version {each.version:,}, grant ",
        identity(each.grant),
        class_="soft small",
    )
    return tag("li", called, said, missing)


def books(chain: ChainPart) -> Markup | None:
    """Where the money is."""
    parts = [_book(each) for each in chain.books if each.minted or each.lines]
    return section(
        "The books",
        "Made from every movement of every transaction, without asking the rules; each account "
        "was then held against the state.",
        *parts,
    )


def _book(book: Book) -> Markup:
    total = sum(line.amount for line in book.lines)
    colours = {line.kind: _COLOURS[at % 7] for at, line in enumerate(book.lines)}
    bar = tag(
        "div",
        *(
            tag("i", "", class_=colours[line.kind], style=f"width:{_share(line.amount, total)}%")
            for line in book.lines
        ),
        class_="bar",
    )
    rows = [
        [
            join(tag("i", "", class_=f"dot {colours[line.kind]}"), line.kind),
            f"{line.accounts:,}",
            amount(line.amount, book.decimals, book.symbol),
        ]
        for line in book.lines
    ]
    balanced = total == book.minted
    minted = amount(book.minted, book.decimals, book.symbol)
    foot = [
        tag("span", "together, and minted" if balanced else f"together; {minted} were minted"),
        f"{sum(line.accounts for line in book.lines):,}",
        tag(
            "span",
            amount(total, book.decimals, book.symbol),
            class_="good" if balanced else "bad",
        ),
    ]
    royalties = None
    if book.royalties:
        share = amount(book.royalties, book.decimals, book.symbol)
        royalties = tag(
            "p", f"{share} of what was sold went to others, as royalties.", class_="about"
        )
    return join(
        tag("h3", book.symbol),
        bar,
        table(["held by", "#accounts", "#amount"], rows, foot),
        royalties,
    )


def _share(part: int, total: int) -> str:
    thousandths = part * 100_000 // total if total > 0 else 0
    return f"{thousandths // 1000}.{thousandths % 1000:03}"
