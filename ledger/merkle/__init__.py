"""The Merkle tree of RFC 6962: hashing, proofs, and the tiles it is stored and published in.

Pure functions over a one-method reader of hashes (`reader.HashReader`); nothing
here touches a file or a database.

========================  ====================================================
`hashing`                 leaf and node hashes, the root of a list of leaves
`reader`                  where proofs get the hashes of complete subtrees
`inclusion`               an entry is in a tree: prove, verify
`consistency`             a tree is a prefix of another: prove, verify
`compact_range`           the right edge of a tree: what grows and is signed
`tiles`                   the blocks a tree is stored in
`tile_path`               names of the C2SP tlog-tiles resources of a tree
`entry_bundle`            tlog-tiles bundles of entries
`tile_export`             every tlog-tiles resource of a tree, with its bytes
========================  ====================================================
"""
