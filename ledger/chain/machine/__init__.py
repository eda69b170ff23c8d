"""The state machine: blocks in, results and one hash out, the same in every replica.

==============  ==============================================================
`execution`     one transaction carried out on the state, or refused with a code
`signatures`    checking the signatures of many transactions
`block_rows`    what the store keeps of a block
`admission`     which transactions may wait
`proposal`      what goes into a block, and what comes out
`machine`       check, prepare, process, finalize, commit, info
`receipts`      what light clients are handed: receipts, answers, signed headers
`snapshot`      a chain after one block in pieces: taken, kept, handed out
`restoration`   a chain made out of a snapshot, every chunk checked
`copies`        a second home, from a snapshot or by replay
`replay`        a chain's blocks carried out again, every header compared
`pruning`       forgetting the attachments of old blocks
`home`          the store and the operator's keys in a directory, opened to read
`writer`        the same made, and opened to write
`kept_heights`  how much of the past stays provable
==============  ==============================================================
"""
