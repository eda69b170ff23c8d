"""The authenticated map: keys and values under one root, every presence and absence provable.

A binary Patricia trie over hashed paths (``docs/format.md``, "State map"). `hashing`
is its definition and `proof` what a third party needs; both read bytes and nothing else.

========================  ====================================================
`hashing`                 the rule: paths, hashes of leaves and of inner nodes
`varint`                  minimal LEB128, the rule's lengths
`proof`                   proofs of membership and absence: bytes, verdicts
`leaf`                    the row a leaf is stored in
`bucket`                  the subtree over a few leaves: its root, a way down
`tile`                    the blocks of six levels that the trie is stored in
`node_reader`             where the trie gets its tiles and leaves
`trie`                    a batch of changes in one pass: new root, new tiles
`prover`                  the way from the root to a key
`history`                 what every height replaced; nodes as they were
`store`                   heights in a store: finalize, commit, prune, open
`restore`               a state put into a store by its leaves, part by part
`check`                   the whole state computed anew and compared
========================  ====================================================
"""
