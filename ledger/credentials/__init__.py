"""Credentials of a fleet's members: who issues them, who holds them, and asking with them.

===================  ==========================================================
`grant_request`      a member's request for a grant, which does not say who asks
===================  ==========================================================
"""
