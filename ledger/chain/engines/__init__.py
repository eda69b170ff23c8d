"""Engines: what orders transactions into blocks, and how programs reach it.

======================  ====================================================
`service`               what every engine offers, and its errors
`settings`              how an engine works: periods, bounds
`mempool`               the transactions that wait, in their order
`outcomes`              what came of transactions lately
`queries`               blocks, receipts, answers, out of the store
`signature_workers`     signatures checked in other processes
`signature_worker`      such a process
`signature_wire`        what goes between the two
`embedded`              the engine of one process, without any socket
`stored`                a chain that nobody has at work here, read from its store
`socket_frames`         messages over a stream
`socket_codec`          values to and from ``ledger/schema/chain_socket.proto``
`connection`            one client of the server
`server`                an engine offered over ``HOME/chain.sock``
`client`                that engine, used from another process
======================  ====================================================
"""
