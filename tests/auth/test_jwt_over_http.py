"""JWTs of an existing dashboard over HTTP: valid ones, and attacks."""

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from notifybot.config import load
from notifybot.config.jwt_key import WeakKey, read_key
from notifybot.config.problems import ConfigInvalid
from tests.support.door import Answer, assert_problem
from tests.support.keys import SECRET, ec_key, forged, in_seconds, private_pem, public_pem, rsa_key, signed
from tests.support.remote import MESSAGE, Wire, wire

HS256 = f"jwt: {{secret: '{SECRET}', issuer: dash, audience: notifybot}}, allow: ['*']"
RIGHT = {"iss": "dash", "aud": "notifybot"}
CLAIMS = {"sub": "alice", "exp": 2**40, **RIGHT}


async def show(line: Wire, token: str) -> Answer:
    return await line.bearing(token, "GET", "/api/messages")


async def account_of(line: Wire, token: str) -> str:
    sent = await line.bearing(token, "POST", "/api/ingest", MESSAGE)
    assert sent.status == 202, sent
    return str((await line.socket.ask("GET", f"/api/messages/{sent.json['id']}")).json["account"])


async def test_a_jwt_is_whom_its_subject_names(folder: Path) -> None:
    async with wire(folder, HS256) as line:
        assert await account_of(line, signed(**RIGHT)) == "alice"


async def test_a_token_can_have_several_audiences(folder: Path) -> None:
    async with wire(folder, HS256) as line:
        assert (await show(line, signed(iss="dash", aud=["other", "notifybot"]))).status == 200


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_jwt_of_a_key_pair_holds(folder: Path, algorithm: str) -> None:
    key = rsa_key() if algorithm == "RS256" else ec_key()
    (folder / "key.pem").write_bytes(public_pem(key))
    async with wire(folder, f"jwt: {{algorithm: {algorithm}, public_key: {folder}/key.pem}}, allow: ['*']") as line:
        assert await account_of(line, signed(key, algorithm)) == "alice"
        other = rsa_key(number=1) if algorithm == "RS256" else ec_key(number=1)
        assert_problem(await show(line, signed(other, algorithm)), 401)


async def test_another_claim_and_another_name_of_an_account(folder: Path) -> None:
    http = f"jwt: {{secret: '{SECRET}', account_claim: email}}, allow: ['*']"
    async with wire(folder, http, "accounts: {alice@example.org: alice}") as line:
        assert await account_of(line, signed(sub="u-17", email="alice@example.org")) == "alice"
        assert await account_of(line, signed(sub="u-18", email="bob@example.org")) == "bob@example.org"
        assert_problem(await show(line, signed(sub="alice")), 401)


@pytest.mark.parametrize(("alias", "sub"), [('"7"', 7), ("7", "7"), ("7", 7), ("12345", 12345)])
async def test_accounts_may_be_numbers(folder: Path, alias: str, sub: object) -> None:
    async with wire(
        folder, f"jwt: {{secret: '{SECRET}'}}, allow: ['*']", f"accounts: {{{alias}: alice, bob: 8}}"
    ) as line:
        token, own = (forged({"alg": "HS256"}, {"sub": each, "exp": 2**40}, SECRET.encode()) for each in (sub, 8))
        assert await account_of(line, token) == "alice"
        assert await account_of(line, own) == "8"
        assert (await line.bearing(own, "GET", "/api/telegram/status?user=bob")).status == 200
        assert (await line.bearing(own, "GET", f"/api/telegram/status?user={sub}")).status == 403


async def test_an_account_that_looks_like_a_chat_shows_nobody_else(folder: Path) -> None:
    async with wire(folder, f"jwt: {{secret: '{SECRET}'}}, allow: ['*']") as line:
        john = await line.socket.ask("POST", "/subscribe-user", {"chat_id": 700000001, "chat_name": "john"})
        for name in (700000001, john.json["user_id"]):
            token = forged({"alg": "HS256"}, {"sub": name, "exp": 2**40}, SECRET.encode())
            assert_problem(await line.bearing(token, "GET", f"/api/people/{name}"), 404)


async def test_the_log_says_why_a_credential_is_refused_and_the_response_does_not(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cases = {
        "there is no such API token": "nb_unknown",
        "JWT: it has expired": WRONG["expired"],
        "JWT: Audience doesn't match": WRONG["another audience"],
        "JWT: it has no claim sub": WRONG["no subject"],
        "JWT: its claim sub is neither text nor a whole number": WRONG["a fraction as subject"],
        "JWT: its claim sub names no account: an account has": WRONG["a subject of two lines"],
        "JWT: Signature verification failed": WRONG["another key"],
        "JWT: Not enough segments": "nosegments",
    }
    with caplog.at_level("INFO", "notifybot.auth"):
        async with wire(folder, HS256) as line:
            for reason, token in cases.items():
                caplog.clear()
                refused = await show(line, token)
                assert refused.status == 401
                (record,) = [each for each in caplog.records if each.msg == "credential refused"]
                assert record.__dict__["reason"].startswith(reason)
                assert reason not in refused.body.decode() and token not in str(record.__dict__)


async def test_tokens_and_jwts_go_side_by_side(folder: Path) -> None:
    async with wire(folder, HS256) as line:
        assert (await show(line, await line.token(scopes=["read"]))).status == 200
        assert (await show(line, signed(**RIGHT))).status == 200


async def test_a_jwt_is_no_admin_whatever_it_says(folder: Path) -> None:
    async with wire(folder, HS256) as line:
        token = signed(sub="root", admin=True, scope="admin", scopes=["admin"], **RIGHT)
        assert_problem(await line.bearing(token, "GET", "/api/admin/tokens"), 403)


@pytest.mark.parametrize("seconds", [-20, 20])
async def test_clocks_may_differ_by_the_leeway(folder: Path, seconds: int) -> None:
    async with wire(folder, HS256) as line:
        token = signed(**RIGHT, exp=in_seconds(seconds)) if seconds < 0 else signed(**RIGHT, nbf=in_seconds(seconds))
        assert (await show(line, token)).status == 200


WRONG = {
    "no signature": forged({"alg": "none"}, CLAIMS),
    "no signature, in capitals": forged({"alg": "NONE"}, CLAIMS),
    "none, and yet signed": forged({"alg": "none"}, CLAIMS, SECRET.encode()),
    "signature left out": forged({"alg": "HS256"}, CLAIMS),
    "no algorithm": forged({}, CLAIMS, SECRET.encode()),
    "another key": signed("another secret, just as long as it", **RIGHT),
    "another algorithm of the same key": jwt.encode(CLAIMS, SECRET + SECRET, "HS512"),
    "a key pair's": signed(rsa_key(), "RS256", **RIGHT),
    "expired": signed(**RIGHT, exp=in_seconds(-600)),
    "no end": signed(**RIGHT, exp=None),
    "an end that is no number": forged({"alg": "HS256"}, CLAIMS | {"exp": "never"}, SECRET.encode()),
    "an end that is not a number": forged({"alg": "HS256"}, CLAIMS | {"exp": float("nan")}, SECRET.encode()),
    "an endless end": forged({"alg": "HS256"}, CLAIMS | {"exp": float("inf")}, SECRET.encode()),
    "a true end": forged({"alg": "HS256"}, CLAIMS | {"exp": True}, SECRET.encode()),
    "not yet": signed(**RIGHT, nbf=in_seconds(86400)),
    "issued tomorrow": signed(**RIGHT, iat=in_seconds(86400)),
    "another audience": signed(iss="dash", aud="billing"),
    "no audience": signed(iss="dash"),
    "another issuer": signed(iss="evil", aud="notifybot"),
    "no issuer": signed(aud="notifybot"),
    "no subject": signed(**RIGHT, sub=None),
    "an empty subject": signed(**RIGHT, sub=""),
    "a fraction as subject": forged({"alg": "HS256"}, CLAIMS | {"sub": 0.5}, SECRET.encode()),
    "a list as subject": forged({"alg": "HS256"}, CLAIMS | {"sub": ["alice"]}, SECRET.encode()),
    "a subject of two lines": signed(**RIGHT, sub="alice\nadmin"),
    "a subject with a NUL": signed(**RIGHT, sub="alice\x00"),
    "claims that are no object": forged({"alg": "HS256"}, ["alice"], SECRET.encode()),
    "a header that is no object": forged(["HS256"], CLAIMS, SECRET.encode()),
    "critical extensions": forged({"alg": "HS256", "crit": ["exp"]}, CLAIMS, SECRET.encode()),
    "its own key": forged({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}}, CLAIMS, b"a"),
    "a key from elsewhere": forged({"alg": "HS256", "jku": "https://evil.example"}, CLAIMS, b"a"),
    "a key file": forged({"alg": "HS256", "kid": "../../../../dev/null"}, CLAIMS, b"\x00"),
    "huge": signed(**RIGHT, more="x" * 50_000),
    "two parts": ".".join(signed(**RIGHT).split(".")[:2]),
    "four parts": signed(**RIGHT) + ".x",
    "nested": forged({"alg": "HS256"}, [[[]]], SECRET.encode()),
}


async def test_invalid_tokens_are_refused(folder: Path) -> None:
    async with wire(folder, HS256) as line:
        taken = {}
        for name, token in WRONG.items():
            line.forget_guesses()
            refused = await show(line, token)
            if refused.status != 401 or "invalid_token" not in refused.headers["www-authenticate"]:
                taken[name] = refused
        assert taken.keys() == {"huge"}  # which is refused earlier, by its size
        assert_problem(taken["huge"], 400)


async def test_all_invalid_tokens_get_the_same_response(folder: Path) -> None:
    async with wire(folder, HS256) as line:
        names = ("no signature", "another key", "expired", "another audience", "no subject", "two parts")
        said = {(await show(line, WRONG[name])).body for name in names}
        said.add((await show(line, "nb_unknown")).body)
        assert len(said) == 1


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_the_public_key_is_no_secret_to_sign_with(folder: Path, algorithm: str) -> None:
    """A checker that trusted the token's algorithm would accept an HMAC made with the public key."""
    key = rsa_key() if algorithm == "RS256" else ec_key()
    pem = public_pem(key)
    (folder / "key.pem").write_bytes(pem)
    async with wire(folder, f"jwt: {{algorithm: {algorithm}, public_key: {folder}/key.pem}}") as line:
        for secret in (pem, pem.strip(), pem.rstrip(b"\n")):
            for said in ("HS256", algorithm):
                assert_problem(await show(line, forged({"alg": said}, CLAIMS, secret)), 401)


async def test_without_jwt_in_the_config_none_holds(folder: Path) -> None:
    async with wire(folder) as line:
        assert_problem(await show(line, signed(**RIGHT)), 401)


def key_files() -> dict[str, bytes]:
    return {
        "short.pem": public_pem(rsa_key(1024)),
        "rsa.pem": public_pem(rsa_key()),
        "p256.pem": public_pem(ec_key()),
        "p384.pem": public_pem(ec_key(ec.SECP384R1)),
        "private.pem": private_pem(rsa_key()),
        "junk.pem": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "empty.pem": b"",
    }


def test_a_public_key_is_no_secret() -> None:
    with pytest.raises(WeakKey, match="a PEM key is not a secret"):
        read_key("HS256", public_pem(rsa_key()))


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("{secret: short}", "http.jwt.secret: a secret for HS256 needs at least 32 bytes"),
        (f"{{secret: {'abcabc' * 10}}}", "http.jwt.secret: this secret is easy to guess"),
        ("{algorithm: RS256, public_key: short.pem}", "http.jwt.public_key: an RSA key needs at least 2048 bits"),
        ("{algorithm: RS256, public_key: p256.pem}", "RS256 needs an RSA key"),
        ("{algorithm: ES256, public_key: rsa.pem}", "ES256 needs a key on curve P-256"),
        ("{algorithm: ES256, public_key: p384.pem}", "ES256 needs a key on curve P-256"),
        ("{algorithm: RS256, public_key: private.pem}", "this is not a public key in PEM"),
        ("{algorithm: RS256, public_key: junk.pem}", "this is not a public key in PEM"),
        ("{algorithm: ES256, public_key: empty.pem}", "this is not a public key in PEM"),
        ("{algorithm: none, secret: x}", "http.jwt.algorithm"),
        ("{algorithm: HS512, secret: x}", "http.jwt.algorithm"),
    ],
)
def test_a_weak_or_wrong_key_refuses_the_start(folder: Path, section: str, says: str) -> None:
    for name, content in key_files().items():
        (folder / name).write_bytes(content)
    config = folder / "config.yaml"
    config.write_text(f"http:\n  jwt: {section}\n")
    with pytest.raises(ConfigInvalid) as refused:
        load(config, {})
    assert says in refused.value.detail
    assert "abcabc" not in refused.value.detail
