"""Verify what a Quipu chain says: a second implementation, written from docs/format.md alone.

Usage: verify_receipt.py CHAIN-HEX VKEY FILE [KEY-HEX]. FILE is a receipt; with KEY-HEX it is the
answer to the question what the state has under that key. Witnesses are not looked for.
"""

import base64
import re
import sys
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
Y_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # of a point of order 8
SIGNATURE = r"— ([^\s+\0-\x1f]+) (\S+)\n"
NOTE = re.compile(rf"((.+)\n(0|[1-9][0-9]{{0,18}})\n(\S+)\n)\n(?:{SIGNATURE}){{1,64}}")
ACTIONS = [*range(16, 20), *range(24, 37), 40, 41, *range(48, 53), *range(56, 61), *range(64, 69)]
ACTIONS += [72, 73, 74, *range(80, 86), 96, 97]
BODY = "ibiiib*" + "".join("b" if number in ACTIONS else "-" for number in range(8, 128))


def need(condition: object, why: str) -> None:
    if not condition:
        raise ValueError(why)


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


def varint(data: bytes, at: int, most: int) -> tuple[int, int]:
    end = next((i for i, byte in enumerate(data[at : at + most], at + 1) if byte < 128), 0)
    number = sum((byte & 127) << 7 * i for i, byte in enumerate(data[at:end]))
    need(end and number < 2**64 and (data[end - 1] or end == at + 1), "a malformed varint")
    return number, end


def message(types: str, data: bytes) -> list[Any]:
    """Fields 1, 2, ... by type: i for integers, b bytes, * repeated bytes, - for no such field."""
    values: list[Any] = [{"i": 0, "*": []}.get(of, b"") for of in types]
    at = last = 0
    while at < len(data):
        tag, at = varint(data, at, 10)
        n, of = tag >> 3, types[max(0, (tag >> 3) - 1) : tag >> 3]
        need(f"{of}{tag & 7}" in ("i0", "b2", "*2"), f"field {n} is unknown")
        need(n > last or (n == last and of == "*"), f"field {n} is out of order")
        number, end = varint(data, at, 10)
        at, last = end if of == "i" else end + number, n
        values[n - 1] += {"i": number, "b": data[end:at], "*": [data[end:at]]}[of]
        need((values[n - 1] or of == "*") and at <= len(data), f"field {n} is empty or cut off")
    return values


def public_key(key: bytes) -> Ed25519PublicKey:
    y = int.from_bytes(key, "little") % 2**255
    need(len(key) == 32 and y < P and y not in (0, 1, P - 1, Y_8, P - Y_8), "a key is weak")
    return Ed25519PublicKey.from_public_bytes(key)


def check_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bytes:
    """Returns the root of the leaves before this one, out of its left siblings."""
    need(index < size and all(len(each) == 32 for each in path), "no place in the tree")
    fn, sn, before = index, size - 1, b""
    for step in path:
        need(sn, "a path is too long")
        if fn & 1 or fn == sn:
            leaf = sha256(b"\1" + step + leaf).digest()
            before = sha256(b"\1" + step + before).digest() if before else step
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            leaf = sha256(b"\1" + leaf + step).digest()
        fn, sn = fn >> 1, sn >> 1
    need(not sn and leaf == root, "a path does not lead to the root")
    return before


def check_header(
    chain: bytes, vkey: str, encoded: bytes, path: list[bytes], note: bytes
) -> list[Any]:
    name, key_id, key = [*vkey.split("+", 2), "", ""][:3]
    raw = unbase64(key)
    digest = sha256(name.encode() + b"\n" + raw).digest()
    need(raw[:1] == b"\1" and digest[:4].hex() == key_id, "this is no verifier key of a log")
    found = NOTE.fullmatch(note.decode())
    if found is None or found[2] != name or len(note) > 1_000_000:
        raise ValueError("the checkpoint is malformed, or of another log than the verifier key")
    lines = [(who, unbase64(line)) for who, line in re.findall(SIGNATURE, note.decode())]
    mine = [line[4:] for who, line in lines if (who, line[:4].hex()) == (name, key_id)]
    need(mine and all(len(line) > 4 for _, line in lines), "the operator has not signed it")
    for signature in mine:
        public_key(raw[1:]).verify(signature, found[1].encode())
    header = message("ibiibibibb", encoded)
    version, of, height, time, previous, index, log_root, count, results, state = header
    need((version, of) == (1, chain), "the header is of another version or chain")
    hashes = {len(each) for each in (previous, log_root, results, state)}
    need(hashes == {32} and 0 < height < 2**63 and 0 < time < 2**63, "the header is malformed")
    need(height + count <= index < int(found[3]) < 2**63, "the header cannot be there")
    leaf = sha256(b"\0\3" + encoded).digest()
    before = check_inclusion(leaf, index, int(found[3]), path, unbase64(found[4]))
    need(before == log_root, "the header names another log than it stands in")
    return header


def receipt(chain: bytes, vkey: str, data: bytes) -> str:
    transaction, result, index, result_path, *signed = message("bbi*b*b", data)
    header = check_header(chain, vkey, *signed)
    name, code, events = message("bi*", result)
    for kind, _, _ in (message("ibi", event) for event in events):
        need(kind < 2**31, "an event of no kind")
    check_inclusion(sha256(b"\0" + result).digest(), index, header[7], result_path, header[8])
    body, signature = message("bb", transaction)
    version, signer, _, _, _, sponsor, attachments, *actions = message(BODY, body)
    need(sum(map(bool, actions)) == 1 and version == 1, "another version, or not one action")
    need(len(signature) == 64 and len(sponsor) in (0, 32) and len(signer) == 32, "a bad length")
    named = [message("bi", each) for each in attachments]
    need(all(a < b for (a, _), (b, _) in pairwise(named)) and len(named) < 5, "attachments")
    need(all(len(a) == 32 and 0 < size <= 1 << 20 for a, size in named), "an attachment")
    need(len(transaction) <= 60_000 and code < 2**32, "too much")
    need(sha256(b"\0\2" + transaction).digest() == name, "the result is of something else")
    if code == 0:
        public_key(signer).verify(signature, b"quipu/transaction/v1\0" + chain + body)
    return f"verified: {name.hex()} is in block {header[2]}, with code {code}"


def answer(chain: bytes, vkey: str, data: bytes, key: bytes) -> str:
    proof, *signed = message("bb*b", data)
    header = check_header(chain, vkey, *signed)
    need(proof[:1] == b"\1" and 0 < len(key) <= 1024, "no state proof of version 1")
    count, at = varint(proof, 1, 5)
    end = at + 33 * count
    need(count <= 256 and len(proof) > end, "the proof is cut short")
    steps = [(proof[i], proof[i + 1 : i + 33]) for i in range(at, end, 33)]
    need(all(a < b for (a, _), (b, _) in pairwise(steps)), "bits do not rise")
    if proof[end:] == b"\0":
        need(not steps and header[9] == bytes(32), "the map is not empty")
        return f"verified: absent after block {header[2]}"
    size, start = varint(proof, end + 1, 5)
    length, value_at = varint(proof, start + size, 5)
    found, value = proof[start : start + size], proof[value_at:]
    need(proof[end] == 1 and 0 < size <= 1024 and len(value) == length <= 1 << 20, "no leaf")
    asked, other = (f"{int(sha256(k).hexdigest(), 16):0256b}" for k in (key, found))
    node = sha256(b"\2" + proof[end + 1 :]).digest()
    for bit, sibling in reversed(steps):
        need(asked[bit] == other[bit], "the way leads elsewhere")
        pair = node + sibling if asked[bit] == "0" else sibling + node
        node = sha256(bytes([3, bit]) + pair).digest()
    need(node == header[9], "the proof does not lead to the state's root")
    what = f"{value.hex()} is there" if found == key else "absent"
    return f"verified: {what} after block {header[2]}"


if __name__ == "__main__":
    chain_id, operator, file = bytes.fromhex(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    try:
        if sys.argv[4:]:
            said = answer(chain_id, operator, file.read_bytes(), bytes.fromhex(sys.argv[4]))
        else:
            said = receipt(chain_id, operator, file.read_bytes())
    except (ValueError, OSError, InvalidSignature) as error:
        sys.exit(f"refused: {str(error) or 'a signature does not verify'}")
    sys.stdout.write(said + "\n")
