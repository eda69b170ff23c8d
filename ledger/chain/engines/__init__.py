"""Engines: what orders transactions into blocks, and how programs reach it.

======================  ====================================================
`service`               what every engine offers, and its errors
`settings`              how an engine works: periods, bounds
`mempool`               the transactions that wait, in their order
`outcomes`              what came of transactions lately
`signature_workers`     signatures checked in other processes
`signature_worker`      such a process
`embedded`              the engine of one process, without any socket
`socket_codec`          values to and from ``ledger/schema/chain_socket.proto``
`server`                an engine offered over ``HOME/chain.sock``
`connection`            one client's connection to the server
`client`                that engine, used from another process
======================  ====================================================
"""
