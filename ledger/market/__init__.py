"""Buying what other fleets offer: finding it, asking for it without a name, paying, keeping it.

====================  =============================================================
`listing`             an offer with its contract and price, as proven; `Search`
`catalogue`           offers found by walking the chain; `Catalogue`, `find_listing`
`budget`              what may be spent: in all, on a purchase, for a purpose
`reservations`        what no purchase needs any more of it
`funding`             the one-time key's money: `Funding`, `PoolFunding`
`funding_limits`      what a pool pays for at most; `FundingLimits`
`own_funding`         the same from a wallet of the buyer's own
`wish`                what is wanted, on which conditions
`refusal`             why there is no grant: `GrantRefusedError`, with the ResultCode
`acquisition`         the folder of one purchase; `Acquisition.begin`, `.open`, `.look`
`acquisition_states`  where it can stand, one type each; `Stage` numbers them
`acquisition_file`    the two files that say what is wanted and how far it is
`shelf`               all purchases of a buyer on a chain, and their budgets
`placing`             copies of what was bought, where people want them
`tools`               what it works with: `Tools`; what it tells: `Progress`
`buying`              `acquire` drives it to its end
`giving_up`           `abandon`: out of it again
`asking`              the request for a grant
`uses`                which uses a member has asked with, so that nobody else is asked
`paying`              money, channel, what is left
`challenge`           how long a channel's close can be answered
`swapping`            the same of what is bought whole, in an atomic sale
`locked_price`        which of those cannot wait until somebody asks for them
`delivery`            the deed, and the recording's files
`keeping`             into a home, with an Acquisition entry
`erasing`             erasing what consent was withdrawn of, as a notice says
                      (`ledger.chain.notices`), and the receipt: `erase_bought`
====================  =============================================================

And selling what one's own robots offer:

====================  =============================================================
`storefront`          a fleet's selling end: any bytes in, a reply out; `Storefront`
`till`                the sales of one account: answered, watched, closed, forgotten
`closings`            channels that are closed, many at a time
`whole_sales`         the same of atomic sales
`sellers_chain`       the chain as they ask it: what is due together goes together
`in_turn`             transactions of one account, one sequence after the other
`selling_homes`       the homes that are sold out of, open to read
`selling_stock`       the recording that a grant is about
`sale_chain`          the chain as a seller sees it, from memory
`sale_note`           what is noted of a sale, for good
`sales_view`          sales for people: `list_sales`, `SaleView`
====================  =============================================================

Over `ledger.chain.proven`: every row is read with its proof, through one light client.

A purchase goes through these states, each on disk before the next is begun::

    Wished          wish written, nothing asked
    Requested       use chosen, money reserved, one-time wallet made, request signed and kept
    Granted         the chain has the grant                         Refused: it never will
    Funded          the one-time key has what it needs
    ChannelOpened   the chain has the channel
    Streaming       units are fetched, paid, checked and kept, one by one
    Bought          all is here and checked, the deed too; the files are in their place
    Closed          what was left is back in the pool, the budget is settled
    Kept            in a home's log, with an Acquisition entry

What is bought whole goes from `Funded` over one other to `Bought`, or to `Abandoned`::

    Swapping        all is fetched masked, paid for, and opened; or the money comes back

`abandon` leads from any state before `Bought` over `Abandoning` to `Abandoned`::

    chain = ProvenChain(service, trust, folder)
    tools = Tools(chain, MemberFile(path), gaps, PoolFunding(chain, wallet, fleet, paid), way)
    with Acquisition.begin(folder, Wish(offer, "training")) as acquisition:
        end = acquire(acquisition, tools, told)
"""
