"""How a lineage is told: as a tree to a person, as JSON to a program."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.tree import Tree

from ledger.chain.as_json import message_json
from ledger.cli.ui import escape, short
from ledger.experience.records import Presence
from ledger.lineage.chain_lineage import BoughtInput, ModelOnChain, OfferedEntry
from ledger.lineage.graph import Agreement, Lineage, Node, Purchase, WithdrawnConsent

_WIDE: Final = 1 << 16

# Of a log


def lineage_json(lineage: Lineage) -> dict[str, Any]:
    """Every node with its inputs, and what somebody may have to do about it."""
    return {
        "origin": lineage.origin,
        "record_id": lineage.root.hex(),
        "nodes": [
            _node_json(node) for node in sorted(lineage.nodes.values(), key=lambda node: node.index)
        ],
        "went_into": {
            record_id.hex(): [model.hex() for model in models]
            for record_id, models in lineage.downstream.items()
        },
        "grants": [grant.hex() for grant in lineage.grants()],
        "concerns": [
            {
                "kind": concern.kind.value,
                "record_id": concern.record_id.hex(),
                "since_height": concern.since_height,
            }
            for concern in lineage.concerns()
        ],
    }


def _node_json(node: Node) -> dict[str, Any]:
    registered = node.registered
    return {
        "record_id": node.record_id.hex(),
        "index": node.index,
        "leaf": node.leaf.hex(),
        "name": node.name,
        "media_type": node.media_type,
        "content_root": node.content_root.hex(),
        "presence": node.presence.name.lower(),
        "model": node.model_name if node.is_model else None,
        "inputs": [record_id.hex() for record_id in node.inputs],
        "bought": [_purchase_json(purchase) for purchase in node.purchases],
        "consent_withdrawn": _withdrawn_json(node.withdrawn),
        "registered": {
            "model": registered.model.hex(),
            "fleet": registered.fleet,
            "name": registered.name,
            "height": registered.height,
            "withdrawn_height": registered.withdrawn_height,
            "unnamed_grants": [grant.hex() for grant in registered.unnamed],
        }
        if registered is not None
        else None,
    }


def _purchase_json(purchase: Purchase) -> dict[str, Any]:
    bought = purchase.acquisition
    return {
        "index": purchase.index,
        "chain": bought.chain.hex(),
        "grant": bought.grant.hex(),
        "offer": bought.offer.hex(),
        "contract": bought.contract.hex(),
        "version": bought.version,
        "seller": bought.seller,
        "leaf": bought.leaf.hex(),
        "content_root": bought.content_root.hex(),
        "on_chain": _agreement_json(purchase.agreement),
    }


def _agreement_json(agreement: Agreement | None) -> dict[str, Any] | None:
    if agreement is None:
        return None
    return {
        "contract_name": agreement.contract_name,
        "contract_withdrawn_height": agreement.contract_withdrawn_height,
        "seller_fleet": agreement.seller_fleet,
        "purpose": agreement.purpose,
        "pruned": agreement.pruned,
        "consent_withdrawn": _withdrawn_json(agreement.withdrawn),
        "erasure_confirmed_height": agreement.confirmed_height,
        "receipt_is_due": agreement.receipt_is_due,
    }


def _withdrawn_json(withdrawn: WithdrawnConsent | None) -> dict[str, Any] | None:
    if withdrawn is None:
        return None
    return {
        "consents": [name.hex() for name in withdrawn.consents],
        "since_height": withdrawn.since_height,
    }


def show_lineage(console: Console, lineage: Lineage) -> None:
    """Draw where it came from, and below what it went into."""
    drawn: set[bytes] = set()
    _leave_whole(console)
    console.print(_branch(lineage, lineage.root, Tree(_title(lineage.nodes[lineage.root])), drawn))
    if lineage.downstream.get(lineage.root):
        tree, seen = Tree("went into"), {lineage.root}
        _grow_down(lineage, lineage.root, tree, seen)
        console.print(tree)
    concerned = {concern.record_id for concern in lineage.concerns()}
    if concerned:
        console.print(f"[yellow]look at[/] {len(concerned)} record(s) marked with !")


def _leave_whole(console: Console) -> None:
    """Let no line be wrapped where it is a program that reads them."""
    if not console.is_terminal:
        console.width = _WIDE


def _branch(lineage: Lineage, record_id: bytes, tree: Tree, drawn: set[bytes]) -> Tree:
    node = lineage.nodes[record_id]
    if record_id in drawn:
        if node.inputs:
            tree.add("as above")
        return tree
    drawn.add(record_id)
    for line in _facts(node):
        tree.add(line)
    for each in lineage.inputs(record_id):
        _branch(lineage, each, tree.add(_title(lineage.nodes[each])), drawn)
    return tree


def _grow_down(lineage: Lineage, record_id: bytes, tree: Tree, seen: set[bytes]) -> None:
    for model in lineage.downstream.get(record_id, ()):
        branch = tree.add(_title(lineage.nodes[model]))
        if model not in seen:
            seen.add(model)
            _grow_down(lineage, model, branch, seen)


def _title(node: Node) -> str:
    what = f"model [bold]{escape(node.model_name)}[/]" if node.is_model else escape(node.name)
    gone = {Presence.ERASED: "erased", Presence.PRUNED: "pruned"}.get(node.presence)
    mark = " [yellow]! erased[/]" if gone == "erased" else f", {gone}" if gone else ""
    return f"{what} (entry {node.index}, record {short(node.record_id)}){mark}"


def _facts(node: Node) -> list[str]:
    lines = []
    if node.registered is not None:
        found = node.registered
        text = f"registered by {escape(found.fleet)} in block {found.height}: {short(found.model)}"
        if found.withdrawn_height:
            text += f", withdrawn in block {found.withdrawn_height}"
        lines.append(text)
        if found.unnamed:
            lines.append(f"[yellow]! {len(found.unnamed)} grant(s) are not in its registration[/]")
    if node.withdrawn is not None:
        lines.append(_withdrawn(node.withdrawn, "do not train on it any more"))
    for purchase in node.purchases:
        bought = purchase.acquisition
        lines.append(f"bought from {escape(bought.seller)}, entry {short(bought.leaf)} there")
        name = escape(purchase.agreement.contract_name) if purchase.agreement else ""
        under = f"{name} ({short(bought.contract)})" if name else short(bought.contract)
        lines.append(
            f"under contract {under} version {bought.version}, grant {short(bought.grant)}"
        )
        lines += _agreement_lines(purchase.agreement)
    return lines


def _agreement_lines(agreement: Agreement | None, purpose: str = "") -> list[str]:
    """``purpose`` is what others than the grant still know of it."""
    purpose = purpose or (agreement.purpose if agreement is not None else "")
    lines = [f"for {escape(purpose)}"] if purpose else []
    if agreement is None:
        return lines
    if agreement.contract_withdrawn_height:
        height = agreement.contract_withdrawn_height
        lines.append(f"its contract was withdrawn in block {height}")
    if agreement.withdrawn is not None:
        if agreement.confirmed_height:
            what = f"its erasure was confirmed in block {agreement.confirmed_height}"
        else:
            what = "erase it" if agreement.pruned else "erase it, and confirm that"
        lines.append(_withdrawn(agreement.withdrawn, what))
    return lines


def _withdrawn(withdrawn: WithdrawnConsent, what: str) -> str:
    since = withdrawn.since_height
    return f"[yellow]! consent is withdrawn since block {since}: {what}[/]"


# Of a chain


def model_json(found: ModelOnChain) -> dict[str, Any]:
    """A registered model."""
    return {
        "model": found.model.hex(),
        "fleet_name": found.fleet_name,
        **message_json(found.record),
        "bought": [_bought_json(each) for each in found.bought],
    }


def _bought_json(bought: BoughtInput) -> dict[str, Any]:
    return {
        **message_json(bought.under),
        "origin": bought.origin,
        "on_chain": _agreement_json(bought.agreement),
    }


def entry_on_chain_json(found: OfferedEntry) -> dict[str, Any]:
    """An entry that was offered, or trained on."""
    return {
        "leaf": found.leaf.hex(),
        "offers": [
            {"offer": offer.hex(), **message_json(record), "on_chain": _agreement_json(agreement)}
            for offer, record, agreement in found.offers
        ],
        "models": [model_json(model) for model in found.models],
    }


def show_model(console: Console, found: ModelOnChain) -> None:
    """Draw a registered model, and what it goes back to."""
    _leave_whole(console)
    console.print(_model_tree(found))


def show_entry_on_chain(console: Console, found: OfferedEntry) -> None:
    """Draw what an entry was offered under, and the models that it went into."""
    tree = Tree(f"entry {short(found.leaf)}")
    for offer, record, agreement in found.offers:
        name = escape(agreement.contract_name) if agreement else short(record.contract)
        branch = tree.add(
            f"offered by {escape(record.origin)} under {name} version {record.version}:"
            f" offer {short(offer)}"
        )
        if record.withdrawn_height:
            branch.add(f"withdrawn in block {record.withdrawn_height}")
        if agreement is not None and agreement.withdrawn is not None:
            branch.add(_withdrawn(agreement.withdrawn, "its buyers are to erase it"))
    for model in found.models:
        tree.add(_model_title(model))
    _leave_whole(console)
    console.print(tree)


def _model_title(found: ModelOnChain) -> str:
    record = found.record
    gone = f", withdrawn in block {record.withdrawn_height}" if record.withdrawn_height else ""
    return (
        f"model [bold]{escape(record.name)}[/] of {escape(found.fleet_name)},"
        f" registered in block {record.height}{gone}: {short(found.model)}"
    )


def _model_tree(found: ModelOnChain) -> Tree:
    tree = Tree(_model_title(found))
    if found.record.inputs:
        named = ", ".join(short(leaf) for leaf in found.record.inputs[:4])
        more = len(found.record.inputs) - 4
        rest = f" and {more} more" if more > 0 else ""
        tree.add(f"{len(found.record.inputs)} own entries: {named}{rest}")
    for bought in found.bought:
        under = bought.under
        name = escape(bought.agreement.contract_name) if bought.agreement else ""
        branch = tree.add(f"bought from {escape(bought.origin)}, entry {short(under.leaf)} there")
        contract = f"{name} ({short(under.contract)})" if name else short(under.contract)
        branch.add(f"under contract {contract} version {under.version}, grant {short(under.grant)}")
        for line in _agreement_lines(bought.agreement, under.purpose):
            branch.add(line)
    return tree
