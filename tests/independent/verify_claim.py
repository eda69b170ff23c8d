"""Verify a Quipu proof file: a second implementation, written from docs/format.md alone.

Usage: verify_claim.py PROOF VKEY [--recording PATH] [--chunk I FILE]. The recording is held in
memory while it is checked.
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

P, D = 2**255 - 19, -121665 * pow(121666, -1, 2**255 - 19)  # -x^2 + y^2 = 1 + D x^2 y^2 (mod P)
ORDER, CHUNK = 2**252 + 27742317777372353535851937790883648493, 262_144  # of the group; bytes
PROOF = re.compile(  # extra, index, hashes, (origin, size, root), signatures
    r"c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex (\S+)\n((?:\S+\n){0,63})\n"
    r"((.+)\n(\S+)\n(\S+)\n)\n((?:— [^\s+]+ \S+\n){1,64})")
SCHEMA = {  # number:type; * repeated, ? may be absent, 0/32 lengths in bytes, any: type not given
    "disclosure": "1:bytes 2:32? 3:chunk*", "chunk": "1:uint 2:32 3:32*", "entry": "1:bytes 2:64",
    "body": "1:uint 2:32 3:uint 8:experience? 9:removal? 10:removal? 11:rotation? 12:retirement?",
    "experience": "1:16 2:uint 3:uint 4:0/32 5:uint 6:file* 7:str 8:topic* 9:tag* 10:commitment* "
    "11:0/32 12:range* 13:str 14:uint", "file": "1:str 2:uint", "topic": "1:str 2:str 3:uint",
    "tag": "1:str 2:str", "commitment": "1:any 2:any 3:48 4:any 5:any", "range": "1:16 2:any 3:any "
    "4:any 5:any 6:any", "removal": "1:16* 2:str", "rotation": "1:32 2:64", "retirement": "1:32"}
WIRE_TYPES = {"uint": (0,), "any": (0, 1, 2, 5), "": ()}  # all others: (2,)
EMPTY: dict[str, Any] = {"uint": 0, "str": "", "any": None}


def need(condition: object, why: str) -> None:
    if not condition:
        raise ValueError(why)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


def decimal(text: str) -> int:
    need(re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < 2**63, "malformed decimal")
    return int(text)


def check_key(key: bytes) -> None:
    y = int.from_bytes(key, "little") % 2**255
    need(len(key) == 32 and y < P, "a public key is not canonical")
    # order 1 and 2: y^2 = 1; order 4: y = 0; order 8, whose double has y = 0: D y^4 + 2 y^2 = 1
    need(y * (y * y - 1) * (D * y**4 + 2 * y * y - 1) % P, "a public key has small order")


def check_signature(key: bytes, signature: bytes, signed: bytes, whose: str) -> None:
    check_key(key)
    try:
        need(int.from_bytes(signature[32:], "little") < ORDER, f"{whose} signature: S too large")
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        raise ValueError(f"the {whose} signature does not verify") from None


def varint(data: memoryview) -> tuple[int, memoryview]:
    end = next((i for i, byte in enumerate(data[:10], 1) if byte < 128), 0)
    value = sum((byte & 127) << 7 * i for i, byte in enumerate(data[:end]))
    need(end and value < 2**64, "malformed varint")
    return value, data[end:]


def message(kind: str, data: memoryview) -> dict[int, Any]:
    types = {int(n): of for n, of in (field.split(":") for field in SCHEMA[kind].split())}
    out: dict[int, Any] = {n: [] for n in types}
    value: Any
    while data:
        tag, data = varint(data)
        n, wire, of = tag >> 3, tag & 7, types.get(tag >> 3, "").rstrip("*?")
        need(wire in WIRE_TYPES.get(of, (2,)), f"{kind}: field {n} of wire type {wire} is unknown")
        value, data = ({1: 8, 5: 4}[wire], data) if wire & 1 else varint(data)
        if wire:
            need(value <= len(data), f"{kind}: field {n} is cut off")
            value, data = data[:value], data[value:]
            value = message(of, value) if of in SCHEMA else bytes(value)
        out[n].append(value.decode() if of == "str" else value)
    for n, of in types.items():
        if of[-1] != "*":
            need(len(out[n]) < 2, f"{kind}: field {n} is there twice")
            out[n] = out[n] or [EMPTY.get(of, None if of[-1] == "?" else b"")]
        fits = (v is None or str(len(v)) in of.rstrip("*?").split("/") for v in out[n])
        need(of[0].isalpha() or all(fits), f"{kind}: field {n} has a wrong length")
        out[n] = out[n] if of[-1] == "*" else out[n][0]
    return out


def check_inclusion(leaf: bytes, fn: int, size: int, path: list[bytes], root: bytes) -> None:
    need(fn < size, f"index {fn} is not in a tree of {size}")
    sn = size - 1
    for p in path:
        need(sn, "an inclusion proof is too long")
        right = fn & 1 or fn == sn
        leaf = sha256(b"\1" + p + leaf) if right else sha256(b"\1" + leaf + p)
        while right and fn & 1 == 0 and fn:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and leaf == root, "an inclusion proof does not lead to the root")


def tree_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + tree_root(leaves[:k]) + tree_root(leaves[k:]))


def check_entry(data: bytes, origin: str, index: int, trusted: bytes) -> dict[int, Any]:
    need(len(data) < 65_536, "the entry is too long")
    signed, signature = message("entry", memoryview(data)).values()
    body, log_id = message("body", memoryview(signed)), sha256(b"quipu/log/v1\0" + origin.encode())
    version, key, sequence, *kinds = body.values()
    need(version == 1, f"the entry is of version {version}")
    need(sequence == index, f"the entry says that it is number {sequence}, the proof {index}")
    need(key == trusted, "the robot key is not that of the verifier key")
    check_signature(key, signature, b"quipu/entry/v1\0" + log_id + signed, "entry")
    need(sum(kind is not None for kind in kinds) == 1, "the entry is not of exactly one kind")
    if told := body[8]:
        need(sum(file[2] for file in told[6]) == told[5], "file sizes that do not sum to the whole")
        need(told[4] or not told[6], "files without a content root")
    if rotation := body[11]:
        claim = b"quipu/rotation/v1\0" + log_id + index.to_bytes(8, "big") + key + rotation[1]
        check_signature(rotation[1], rotation[2], claim, "new key")
    check_key(body[12][1] if body[12] else key)
    return body


def check_recording(path: Path, files: list[Any], salt_key: bytes | None, root: bytes) -> None:
    need(path.is_dir() or len(files) == 1, "a record of several files is checked in a directory")
    outside = (Path(f[1]).is_absolute() or ".." in Path(f[1]).parts for f in files)
    need(not any(outside), "a file name leads out of the directory")
    data = [(path / file[1] if path.is_dir() else path).read_bytes() for file in files]
    need([len(d) for d in data] == [file[2] for file in files], "a file has another size")
    if salt_key is None or not root:
        raise ValueError("the salt key is not disclosed, or there is no content")
    whole, leaves = b"".join(data), []
    for i in range(-(-len(whole) // CHUNK)):
        salt = hmac.digest(salt_key, b"quipu/chunk-salt/v1" + i.to_bytes(8, "big"), "sha256")
        leaves.append(sha256(b"\0" + salt + whole[i * CHUNK : (i + 1) * CHUNK]))
    need(tree_root(leaves) == root, "the recording is not the one in the log")


def check_chunk(i: int, data: bytes, chunks: list[Any], size: int, root: bytes) -> None:
    found = [chunk for chunk in chunks if chunk[1] == i]
    need(len(found) == 1, f"chunk {i} is disclosed {len(found)} times")
    need(len(data) == min(CHUNK, size - i * CHUNK), f"chunk {i} has {len(data)} bytes")
    leaf = sha256(b"\0" + found[0][2] + data)
    check_inclusion(leaf, i, -(-size // CHUNK), found[0][3], root)


def verify(
    proof: bytes, vkey: str, recording: Path | None = None, chunk: tuple[int, bytes] | None = None
) -> list[str]:
    v = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)", vkey)
    m = PROOF.fullmatch(proof.decode())
    if not v or not m or re.search("[\0-\t\x0b-\x1f\x7f-\x9f]", m[0]):
        raise ValueError("malformed " + ("proof file" if v else "verifier key"))
    typed_key = unbase64(v[3])
    key, key_id = typed_key[1:], sha256(f"{v[1]}\n".encode() + typed_key)[:4]
    need(typed_key[:1] == b"\1" and key_id.hex() == v[2], "verifier key: wrong type or key id")
    check_key(key)
    note = m[0][m.start(4) :].encode()
    need(len(note) <= 1_000_000, "the checkpoint is too long")
    extra, index_text, hashes, text, origin, size_text, root, signatures = m.groups()
    need(origin == v[1], "the checkpoint is of another log than the verifier key")
    known = 0
    for line in signatures.split("\n")[:-1]:
        signer, signature = line.split(" ")[1], unbase64(line.split(" ")[2])
        need(len(signature) > 4, "a signature line without a signature")
        if signer == v[1] and signature[:4] == key_id:
            check_signature(key, signature[4:], text.encode(), "checkpoint")
            known += 1
    need(known, "the verifier key has not signed the checkpoint")
    index, size = decimal(index_text), decimal(size_text)
    told = message("disclosure", memoryview(unbase64(extra)))
    path = [unbase64(line) for line in [root, *hashes.split("\n")[:-1]]]
    need(all(len(p) == 32 for p in path), "a hash that is not 32 bytes long")
    check_inclusion(sha256(b"\0" + told[1]), index, size, path[1:], path[0])
    body = check_entry(told[1], origin, index, key)
    lines = [f"origin {origin!a}", f"size {size}", f"index {index}", f"robot key {key.hex()}"]
    record = body[8]
    if record is None:
        need(recording is None and chunk is None, "the entry is not of a recording")
        return [*lines, "time range none", "topics none", "content none"]
    lines.append(f"time range {record[2]} to {record[3]} ns, by the robot's own clock")
    lines.append("topics " + (", ".join(f"{t[1]!a} ({t[3]})" for t in record[8]) or "none"))
    checked = []
    if recording is not None:
        check_recording(recording, record[6], told[2], record[4])
        checked.append("whole recording")
    if chunk is not None:
        check_chunk(*chunk, told[3], record[5], record[4])
        checked.append(f"chunk {chunk[0]}")
    return [*lines, f"content of {record[5]} bytes: {' and '.join(checked) or 'not'} checked"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("proof", type=Path)
    parser.add_argument("vkey")
    parser.add_argument("--recording", type=Path, metavar="PATH")
    parser.add_argument("--chunk", nargs=2, metavar=("I", "FILE"))
    args = parser.parse_args()
    try:
        chunk = (decimal(args.chunk[0]), Path(args.chunk[1]).read_bytes()) if args.chunk else None
        lines = verify(args.proof.read_bytes(), args.vkey, args.recording, chunk)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"refused: {error}\n")
        return 1
    sys.stdout.write("\n".join([*lines, "verified"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
