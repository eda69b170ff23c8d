"""Credentials of a fleet's members: who issues them, who holds them, and asking with them.

===================  ==========================================================
`letter`             the one form of every file that is sent or kept
`issuer_home`        the fleet authority's folder: key, members, the revoked
`member_file`        a member's file: what it has asked for, and its credential
`grant_request`      a member's request for a grant, which does not say who asks
===================  ==========================================================
"""
