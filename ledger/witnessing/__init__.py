"""Robots that watch each other's logs: policies, cosignatures, and evidence of forks.

What a witness promises and how it keeps the promise is in `ledger.witness`; here is
what surrounds it:

* `policy`: which logs, which witnesses, and how many of them are enough;
* `follower`: a witness that follows the logs of a policy;
* `service`: the same witness, asked by a log that brings its own proof;
* `gathering`: a log that asks witnesses for their cosignatures;
* `gossip`: witnesses that compare what they have recorded;
* `evidence`, `comparison`: two checkpoints that no honest log can have signed;
* `transport`, `http_server`, `http_client`: how questions travel.
"""
