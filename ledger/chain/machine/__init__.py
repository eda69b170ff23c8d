"""The state machine: blocks in, results and one hash out, the same in every replica.

==============  ==============================================================
`execution`     one transaction carried out on the state, or refused with a code
`signatures`    checking the signatures of many transactions
`block_rows`    what the store keeps of a block
`machine`       check, prepare, process, finalize, commit, info
==============  ==============================================================
"""
