"""The independent backend: what one of the two presents, the other accepts and refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.zkproofs.credential.fleet import BINDING, FLEET, NONCE, NOW, SMALL, enrol
from zkproofs.credential import (
    Attributes,
    Credential,
    HolderRequest,
    Issuer,
    IssuerKey,
    IssuerResponse,
    Presentation,
    issue,
    present,
    request_credential,
    verify,
)
from zkproofs.errors import VerificationError
from zkproofs.group import using


@pytest.mark.parametrize(("prover", "verifier"), [("arkworks", "py_ecc"), ("py_ecc", "arkworks")])
def test_what_one_presents_the_other_accepts(prover: str, verifier: str) -> None:
    with using("arkworks"):
        key = IssuerKey.generate()
        credential = enrol(key, 200)[0].to_bytes()
        public = key.issuer.to_bytes()
    with using(prover):
        held = Credential.from_bytes(credential, Issuer.from_bytes(public))
        data = present(held, SMALL, BINDING).to_bytes(SMALL)
    with using(verifier):
        issuer = Issuer.from_bytes(public)
        presentation = Presentation.from_bytes(data, SMALL)
        verify(presentation, issuer, SMALL, BINDING)
        assert presentation.to_bytes(SMALL) == data
        with pytest.raises(VerificationError):
            verify(presentation, issuer, SMALL, replace(BINDING, nonce=bytes(16)))


def test_what_one_asks_the_other_issues() -> None:
    attributes = Attributes(FLEET, "courier", 4, NOW, 200)
    with using("arkworks"):
        key = IssuerKey.generate()
        asking = request_credential(key.issuer, NONCE)
        request = asking.request.to_bytes()
        secret, public = key.to_bytes(), key.issuer.to_bytes()
    with using("py_ecc"):
        other = IssuerKey.from_bytes(secret)
        assert other.issuer.to_bytes() == public
        response, registration = issue(
            other, HolderRequest.from_bytes(request, other.issuer), attributes, NONCE
        )
        answer, registered = response.to_bytes(), registration.to_bytes()
    with using("arkworks") as backend:
        credential = asking.complete(IssuerResponse.from_bytes(answer))
        point = key.issuer.nym_point * credential.nym
        assert registered.endswith(backend.encode_g1(point))
