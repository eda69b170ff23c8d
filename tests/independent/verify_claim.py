"""Verify a Quipu proof file: a second implementation, written from docs/format.md alone.

Usage: verify_claim.py PROOF VKEY [--recording PATH] [--chunk I FILE]. It reads what it reports and
no more: tags, commitments, ranges and entries of other kinds are hashed, but not looked into.
"""

import argparse
import base64
import hashlib
import hmac
import re
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P, CHUNK = 2**255 - 19, 262_144
Y_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # of a point of order 8
SIGNATURE = r"— ([^\s+\0-\x1f]+) (\S+)\n"
PROOF = re.compile(  # extra, index, hashes, checkpoint, its three lines: origin, size, root
    r"c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex (0|[1-9][0-9]{0,18})\n((?:\S+\n){0,63})\n"
    rf"(((.+)\n(0|[1-9][0-9]{{0,18}})\n(\S+)\n)\n(?:{SIGNATURE}){{1,64}})"
)
KINDS = (
    *("recording", "erasure", "pruning", "key rotation", "key retirement", "progress"),
    *("acquisition", "training"),
)


def need(condition: object, why: str) -> None:
    if not condition:
        raise ValueError(why)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


def message(types: str, data: bytes) -> list[Any]:
    """Fields 1, 2, ... by type: i for integers, b bytes, * repeated bytes, - for no such field."""
    values: list[Any] = [{"i": 0, "*": []}.get(of, b"") for of in types]
    at = last = 0
    while at < len(data):
        n, wire = data[at] >> 3, data[at] & 7  # numbers below 16, so that a tag is one byte
        of = types[n - 1 : n]
        need(f"{of}{wire}" in ("i0", "b2", "*2"), f"field {n} is unknown")
        need(n > last or (n == last and of == "*"), f"field {n} is out of order")
        end = next((i for i, byte in enumerate(data[at + 1 : at + 11], at + 2) if byte < 128), 0)
        number = sum((byte & 127) << 7 * i for i, byte in enumerate(data[at + 1 : end]))
        need(end and number < 2**64 and (data[end - 1] or end == at + 2), "a malformed varint")
        at, last = end if of == "i" else end + number, n
        values[n - 1] += {"i": number, "b": data[end:at], "*": [data[end:at]]}[of]
        need(values[n - 1] and at <= len(data), f"field {n} is empty or cut off")
    return values


def check_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    need(index < size, f"index {index} is not in a tree of {size}")
    hashes = iter(path)
    while size > 1:
        if index ^ 1 < size:  # otherwise the node has no sibling and moves up as it is
            sibling = next(hashes, b"")
            need(len(sibling) == 32, "an inclusion proof lacks a hash of 32 bytes")
            leaf = sha256(b"\1", *((sibling, leaf) if index & 1 else (leaf, sibling)))
        index, size = index // 2, (size + 1) // 2
    need(leaf == root and not list(hashes), "an inclusion proof does not lead to the root")


def recording_root(path: Path, files: list[Any], salt_key: bytes) -> bytes:
    hashers, position, end = [], 0, 0
    for name, size in files:
        parts, end = name.decode().split("/"), end + size
        need(Path(*parts).parts == tuple(parts) and ".." not in parts, "a file name leads out")
        with path.joinpath(*parts if path.is_dir() else ()).open("rb") as file:
            while data := file.read(CHUNK - position % CHUNK):
                if position % CHUNK == 0:
                    label = b"quipu/chunk-salt/v1" + (position // CHUNK).to_bytes(8, "big")
                    hashers.append(hashlib.sha256(b"\0" + hmac.digest(salt_key, label, "sha256")))
                hashers[-1].update(data)
                position += len(data)
        need(position == end, f"the file {name} has another size")
    nodes = [hasher.digest() for hasher in hashers] or [sha256()]
    while len(nodes) > 1:
        pairs = [nodes[i : i + 2] for i in range(0, len(nodes), 2)]
        nodes = [sha256(b"\1", *pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return nodes[0]


def verify(proof: Path, vkey: str, recording: Path | None, chunk: tuple[str, str] | None) -> str:
    name, key_id, encoded = [*vkey.split("+", 2), "", ""][:3]
    key = unbase64(encoded)[1:]
    y = int.from_bytes(key, "little") % 2**255
    need(unbase64(encoded)[:1] == b"\1" and len(key) == 32, "this is no verifier key of a log")
    need(key_id == sha256(name.encode(), b"\n\1", key)[:4].hex(), "the key id is wrong")
    need(y < P and y not in (0, 1, P - 1, Y_8, P - Y_8), "the public key is not canonical or weak")
    ed25519 = Ed25519PublicKey.from_public_bytes(key)

    m = PROOF.fullmatch(proof.read_bytes().decode())
    if m is None or m[6] != name or len(m[4].encode()) > 1_000_000:
        raise ValueError("the proof file is malformed, or of another log than the verifier key")
    index, size, path = int(m[2]), int(m[7]), [unbase64(line) for line in m[3].split()]
    lines = [(signer, unbase64(line)) for signer, line in re.findall(SIGNATURE, m[4])]
    need(size < 2**63 and all(len(line) > 4 for _, line in lines), "the checkpoint is malformed")
    signatures = [line[4:] for signer, line in lines if (signer, line[:4].hex()) == (name, key_id)]
    need(signatures, "the verifier key has not signed the checkpoint")
    for signature in signatures:
        ed25519.verify(signature, m[5].encode())
    entry, salt_key, chunks = message("bb*", unbase64(m[1]))
    check_inclusion(sha256(b"\0", entry), index, size, path, unbase64(m[8]))

    body, signature = message("bb", entry)
    log_id = sha256(b"quipu/log/v1\0", name.encode())
    ed25519.verify(signature, b"quipu/entry/v1\0" + log_id + body)
    version, robot_key, sequence, _, _, _, _, *kinds = message("ibi----bbbbbbbb", body)
    need((version, robot_key, sequence) == (1, key, index), "another version, key or sequence")
    need(kinds.count(b"") == 7 and len(entry) < 65_536, "the entry is not of one kind, or too long")
    kind = next(what for what, value in zip(KINDS, kinds, strict=True) if value)
    _, start, stop, root, total, files, _, topics, *_ = message("biibi*b***b*bi", kinds[0])
    files, topics = [message("bi", f) for f in files], [message("bbi", t) for t in topics]
    need(sum(length for _, length in files) == total, "the file sizes do not sum to the whole")
    if recording:
        need(len(salt_key) == 32, "the salt key is not disclosed")
        found = recording_root(recording, files, salt_key)
        need(found == root, "the recording is not the one in the log")
    disclosed = {i: opening for i, *opening in (message("ib*", item) for item in chunks)}
    if chunk:
        i, data = int(chunk[0]), Path(chunk[1]).read_bytes()
        salt, path = disclosed.get(i, (b"", []))
        need(len(salt) == 32, f"the salt of chunk {i} is not disclosed")
        need(len(data) == min(CHUNK, total - i * CHUNK), f"chunk {i} has another size")
        check_inclusion(sha256(b"\0", salt, data), i, -(-total // CHUNK), path, root)
    checked = " and ".join(["recording"] * bool(recording) + ["chunk"] * bool(chunk)) or "not"
    return (
        f"verified: {kind}, entry {index} of {size} in {name!a}, signed by {key.hex()}\n"
        f"from {start} to {stop} ns by the robot's own clock, {total} bytes ({checked} checked)\n"
        f"topics: {', '.join(f'{topic.decode()!a} ({n})' for topic, _, n in topics) or 'none'}\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("proof", type=Path)
    parser.add_argument("vkey")
    parser.add_argument("--recording", type=Path, metavar="PATH")
    parser.add_argument("--chunk", nargs=2, metavar=("I", "FILE"))
    try:
        sys.stdout.write(verify(**vars(parser.parse_args())))
    except (ValueError, OSError, InvalidSignature) as error:
        sys.exit(f"refused: {str(error) or 'a signature does not verify'}")
