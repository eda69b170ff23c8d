"""The nodes of a robot's memory. Thin: a message comes, `ledger` is called, a message goes."""
