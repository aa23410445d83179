//! Tokens that other people's libraries minted.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::Lab;
use crate::process::wayleave;
use crate::socks;
use crate::targets::echo_stream;

/// A Python that has `packages` of `.ci/requirements.txt`, which `imports` tries: that of `WAYLEAVE_TEST_PYTHON`, or else the
/// one on the path.
pub(crate) fn python(test: &str, packages: &str, imports: &str) -> Option<PathBuf> {
    let python = std::env::var_os("WAYLEAVE_TEST_PYTHON").map(PathBuf::from);
    let python = python.or_else(|| wayleave_tests::require(test, "python3", "python3"))?;
    let has_all = Command::new(&python).args(["-c", imports]).output().is_ok_and(|it| it.status.success());
    if !has_all {
        let package = "those of .ci/requirements.txt, and WAYLEAVE_TEST_PYTHON";
        wayleave_tests::not_run(test, packages, package);
        return None;
    }
    Some(python)
}

/// What a script prints, one line for each token.
fn tokens(python: &Path, lab: &Lab, script: &str) -> Vec<String> {
    lab.write("mint.py", script);
    let ran = Command::new(python).arg("mint.py").current_dir(lab.folder()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn assert_accepted(lab: &Lab, token: &str) {
    let (status, said, error) =
        wayleave(lab.folder(), &["token", "inspect", token, "--keys", "foreign.toml"]);
    assert_eq!(status, 0, "{token}: {said}{error}");
    assert!(said.contains("alice") && said.contains("1001"), "{said}");
}

#[test]
fn tokens_of_other_libraries_are_accepted() {
    let Some(python) = python("tokens_of_other_libraries_are_accepted", PACKAGES, IMPORTS) else { return };
    let lab = Lab::new();
    let found = tokens(&python, &lab, MINT);
    let (files, tokens) = found.split_at(1);
    lab.write("foreign.toml", &files[0].replace("\\n", "\n"));
    assert_eq!(tokens.len(), 5);
    for token in tokens {
        assert_accepted(&lab, token);
        let changed = format!("{}{}", &token[..40], if token[40..].starts_with('A') { "B" } else { "A" });
        let changed = format!("{changed}{}", &token[41..]);
        assert_ne!(wayleave(lab.folder(), &["token", "inspect", &changed, "--keys", "foreign.toml"]).0, 0);
    }
    let relay = lab.relay(&["--token-keys", "foreign.toml"]);
    for (number, token) in (1..).zip(tokens) {
        lab.write("token.txt", token);
        let agent = lab.agent_proving(&[relay.listening(1)], &["--token-file", "token.txt"]);
        drop(socks::connect(agent.listening(1), "localhost", echo_stream()));
        relay.wait_for_nth("tunnel opened", number);
    }
}

const PACKAGES: &str = "PyJWT, python-jose and cryptography";
const IMPORTS: &str = "import jwt, cryptography; from jose import jwt as jose";

/// Prints a key file on one line, then a token of each kind.
const MINT: &str = r#"
import base64, json, os, time
import jwt
from jose import jwt as jose
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

now = int(time.time())
b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
shared, secret = os.urandom(32), b"0123456789abcdef0123456789abcdef"
key = Ed25519PrivateKey.generate()
raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
public = key.public_key().public_bytes(*raw)
print("\\n".join([
    "[[jwt]]", 'kid = "e"', 'alg = "EdDSA"', f'public_key = "{b64(public)}"',
    "[[jwt]]", 'kid = "h"', 'alg = "HS256"', f'secret = "{b64(shared)}"',
    "[[token04]]", "app_id = 1001", f'secret = "{secret.decode()}"',
]))

claims = {"sub": "alice", "app_id": 1001, "iat": now, "exp": now + 3600, "wayleave": {"tunnels": 8}}
print(jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "e"}))
print(jwt.encode(claims, shared, algorithm="HS256", headers={"kid": "h"}))
print(jose.encode(claims, shared, algorithm="HS256", headers={"kid": "h"}))

body = {"app_id": 1001, "user_id": "alice", "nonce": -5, "ctime": now, "expire": now + 3600, "payload": ""}
text = json.dumps(body).encode()
def token04(iv, sealed, mode):
    part = lambda data: len(data).to_bytes(2, "big") + data
    packed = (now + 3600).to_bytes(8, "big") + part(iv) + part(sealed) + mode
    return "04" + base64.b64encode(packed).decode()
iv = os.urandom(16)
padder = padding.PKCS7(128).padder()
cipher = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
print(token04(iv, cipher.update(padder.update(text) + padder.finalize()) + cipher.finalize(), b""))
nonce = os.urandom(12)
print(token04(nonce, AESGCM(secret).encrypt(nonce, text, None), b"\x01"))
"#;
