"""The zero-knowledge kit: commitments, transcripts and proofs.

It stands alone. Nothing here imports ``ledger``, a store, protobuf or ROS, so that
the mathematics can be read, tested and audited without the product around it.
"""
