"""A chain that is believed nothing: what is read of it is proven, and never gets older.

One light client stands behind all that a program reads of a chain, whatever leads to it
(`ledger.chain.light.client`).

=============  ==================================================================
`port`         what is asked of a chain at the least: an engine, a socket, ROS
`state`        `ProvenState`: records and accounts with their proofs
`chain`        `ProvenChain`: heights, time, blocks and receipts too; submitting
`kept`         a transaction that is on disk before it leaves, to be carried out once
`kept_client`  a light client that outlives its process
=============  ==================================================================
"""
