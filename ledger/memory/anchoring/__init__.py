"""A robot anchors its own checkpoints on a settlement chain, also after days offline.

The chain is in this process or in another, reached over its socket or over ROS: whoever
brings it brings a `ledger.chain.proven.port.ChainPort`. Everything that is believed of it was
proven under its operator's keys (`ledger.chain.proven.state`).

==================  ===========================================================
`robot_on_chain`    this robot, its fleet and its account as the chain has them
`kept_anchor`       the newest proof of an anchor, kept in the home
`submission`        one transaction at a time, signed by the robot's key
`fork_reports`      evidence that the home's witness found, taken to the chain
`anchorer`          one round: what is new, is it cosigned, anchor it
`periodic`          rounds at regular times, with back-off
==================  ===========================================================
"""
