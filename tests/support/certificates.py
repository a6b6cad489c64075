"""A certificate for localhost."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.support.keys import ec_key, private_pem

HOUR = timedelta(hours=1)


def certificate(folder: Path) -> ssl.SSLContext:
    """Write chain.pem and key.pem; return an SSL context that trusts them."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, key = datetime.now(UTC), ec_key()  # noqa: TID251
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - HOUR, now + HOUR)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    (folder / "chain.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(private_pem(key))
    return ssl.create_default_context(cafile=folder / "chain.pem")
