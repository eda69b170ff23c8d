"""The settlement plane: a deterministic state machine, its blocks and its state.

======================  ====================================================
`state`                 the authenticated map: everything the chain knows
======================  ====================================================
"""
