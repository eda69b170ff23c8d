"""Data against money, so that neither side can lose more than one chunk.

*Streaming*, chunk by chunk over a payment channel that the grant's one-time key opened::

    seller                                buyer
      <- open (signed) --------------------
      -- opened (signed) ---------------->
      <- fetch 0 --------------------------
      -- unit 0, sealed, and its path --->  pays for unit 0: written
      <- fetch 1, claim to 1 unit --------
      -- secret 0; unit 1, sealed ------->  opens unit 0, checks it, keeps it; pays for unit 1
      ...
      -- secret n-1 --------------------->  whole
      <- fetch the deed -------------------
      -- entry and openings, sealed ----->  holds them to the offer

The buyer risks the price of one chunk, the seller nothing but ciphertext. Asking again gives
the same again. *Atomic*, through the chain: `fairswap`.

===============  ===============================================================
`grant`          what the seller checks: who may have what, at which price
`session`        who speaks, and secrets that only the two of them have
`unit_cipher`    keys of units, sealing, opening
`messages`       requests and replies as bytes
`deed`           the log entry and what opens it, which go with the content
`deed_file`      what became of a purchase's deed
`unit_source`    the seller's content as units with their paths
`home_units`     the same of recordings in a home, until they are erased
`sought_units`   the same, looked for again each time
`sale_file`      what a seller must never forget
`sale_refusal`   when a seller gives nothing, or nothing more
`seller`         the selling end: offered, open, closing
`open_sessions`  those that a seller has open, few under each grant
`counter`        the seller's sales together: any bytes in, a reply out
`kept_units`     units that were checked, on a buyer's disk
`purchase`       the buyer's folder: terms, content, what was checked
`buyer`          the buying end, one type for each point where it can stop
`transport`      how a request becomes a reply; `buy` drives a purchase to its end
`socket_frames`  requests and replies over a stream socket
`socket_server`  a seller offered to other processes, over a Unix socket
`socket_client`  the way to it
`fairswap`       the atomic sale: sealing it all, checking it, complaining
`swap_chain`     the chain as both sides of it ask it, and their deadlines
`swap_cipher`    its units on their way, hidden from all but the buyer
`swap_messages`  its requests and replies as bytes
`swap_file`      what its seller must never forget
`swap_seller`    its selling end: prepared, proposed, locked, revealed, ended
`swap_opening`   who may ask its seller for it
`swap_due`       what is due for many sales, keys first, submitted together
`swap_parts`     what is given of a content: leaves, masked units, the deed
`swap_counter`   where its requests arrive, and what the chain is told
`swap_purchase`  its buyer's folder: leaves, masked units, what the key opened
`swap_buyer`     its buying end: asking for the sale, and for all units
`swap_payment`   its buying end: locking, opening, complaining, refunded
`swap_driver`    where a purchase is; `swap` drives it to its end
`swap_deed`      the deed of what was bought whole
===============  ===============================================================
"""
