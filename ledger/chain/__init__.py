"""The settlement plane: a deterministic state machine, its blocks and its state.

======================  ====================================================
`codes`                 what can come of a transaction, as numbers
`leaf`                  leaves of the log: genesis, transactions, headers
`genesis`               leaf 0, and the state that it makes
`transaction`           what an account signs, and how bytes become one
`body`                  bodies made from the message that says what is asked
`result`                what came of each transaction, under one root
`sale_end`              how an atomic sale ended, by results of transactions
`header`                the leaf at the end of a block
`ids`                   the ids of consents, contracts, offers, grants, models
`state_keys`            the keys of the state; `key_words`, the same for people
`account`               who may sign, how often they did, what they have
`spending`              what leaves an account, within its caps
`sponsorship`           fees that a fleet's pool pays
`fleets`, `robots`      who speaks for which fleet and which log
`robot_keys`            how a key of a robot begins and how others end
`presentation_claim`    what an anonymous transaction says that it proves
`presentations`         verifying that, one by one and many at once
`working_state`         the state while a block is carried out
`context`               what a rule sees of the world
`anchoring`             the message that anchors a log's newest checkpoint
`as_json`               all of it as JSON values
`state`                 the authenticated map: everything the chain knows
`channel`               payments off the chain: vouchers and hash chains
`sale`                  atomic sales off the chain: masks, complaints
`policy`                Cedar policies, and what they may be
`rules`                 what transactions may do, one file a capability
`machine`               blocks in, results and one hash out
`engines`               what orders transactions, and how programs reach it
`light`                 checking what a chain says, from bytes and keys
`proven`                reading a chain through one light client; submitting
`audit`                 everything computed again and compared
======================  ====================================================

Data flows from engines to machine to rules to state; channels, sales and policies know no
state, and `light` and `audit` only read. `proven` is how programs ask an engine.
"""
