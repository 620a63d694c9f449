"""A bundle that is asked to be signed is what the owner of the key signed, or is refused before it is read."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError, EdgefuseError
from edgefuse.runtime.bundle import bundle as bundle_module
from edgefuse.runtime.bundle.signature import SIGNATURE_FILE, sign_bundle

FILES = sorted(path.name for path in DEFAULT_BUNDLE.iterdir())


def write_keys(directory: Path, private, password: bytes | None = None) -> tuple[Path, Path]:
    """Files of the private key and of the public one."""
    directory.mkdir(exist_ok=True)
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (directory / "key.pem").write_bytes(private.private_bytes(pem, pkcs8, locked))
    public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (directory / "key.pub").write_bytes(public)
    return directory / "key.pem", directory / "key.pub"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path / "keys", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    bundle = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    sign_bundle(bundle, keys[0])
    return bundle


def refusal(bundle: Path, key: Path) -> str:
    with pytest.raises(EdgefuseError) as error:
        Bundle.open(bundle, key)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the bundle is parsed."""
    monkeypatch.setattr(bundle_module, "read_manifest", lambda directory: pytest.fail("the manifest was read"))


def test_it_opens_also_under_another_name_and_signed_anew(signed, keys, tmp_path):
    sign_bundle(signed, keys[0])
    moved = signed.rename(tmp_path / "elsewhere")
    assert Bundle.open(moved, keys[1]).manifest == Bundle.open(moved).manifest


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_keys_on_other_curves_and_with_a_password(tmp_path, signed, curve):
    private, public = write_keys(tmp_path / "locked", ec.generate_private_key(curve), b"open it")
    sign_bundle(signed, private, "open it")
    assert Bundle.open(signed, public)
    for password in (None, "wrong"):
        with pytest.raises(BundleError, match="no private key that can be used"):
            sign_bundle(signed, private, password)
    assert Bundle.open(signed, public)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("file", FILES)
def test_any_file_changed_removed_or_replaced_by_a_link_is_refused(signed, keys, tmp_path, file):
    whole = (signed / file).read_bytes()
    (signed / file).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{file} differs" in refusal(signed, keys[1])
    (signed / file).unlink()
    assert file in refusal(signed, keys[1])
    (tmp_path / file).write_bytes(whole)
    (signed / file).symlink_to(tmp_path / file)
    assert "symlink" in refusal(signed, keys[1])


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("file", ["one_more.onnx", ".git/config", ".gitignore", "folder/model.sig"])
def test_a_file_that_was_not_signed_is_refused(signed, keys, file):
    (signed / file).parent.mkdir(exist_ok=True)
    (signed / file).write_bytes(b"")
    assert file in refusal(signed, keys[1])


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"verificationMaterial": 7}']
)
def test_what_is_no_signature_is_refused(signed, keys, content):
    (signed / SIGNATURE_FILE).write_bytes(content)
    assert "is not what the owner" in refusal(signed, keys[1])


@pytest.mark.usefixtures("unread")
def test_an_unsigned_bundle_and_another_ones_signature_are_refused(signed, keys, tmp_path):
    assert "is not signed" in refusal(DEFAULT_BUNDLE, keys[1])
    other = Path(shutil.copytree(signed, tmp_path / "other"))
    (other / SIGNATURE_FILE).unlink()
    (other / "manifest.json").write_bytes(b"{}")
    shutil.copy(signed / SIGNATURE_FILE, other)
    assert "manifest.json differs" in refusal(other, keys[1])


@pytest.mark.usefixtures("unread")
def test_another_key_and_what_is_no_key_are_refused(signed, keys, tmp_path):
    _, public = write_keys(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    assert "Key mismatch" in refusal(signed, public)
    _, public = write_keys(tmp_path / "rsa", rsa.generate_private_key(65537, 2048))
    assert "no public key that can be used" in refusal(signed, public)
    assert "no public key that can be used" in refusal(signed, keys[0])
    assert "cannot read" in refusal(signed, tmp_path / "none")


def test_what_cannot_be_signed_is_left_as_it_was(signed, keys, tmp_path):
    (signed / "link").symlink_to(tmp_path)
    with pytest.raises(BundleError, match="cannot be signed"):
        sign_bundle(signed, keys[0])
    (signed / "link").unlink()
    assert Bundle.open(signed, keys[1])


def test_openssfs_own_command_line_checks_ours_and_we_check_its(signed, keys):
    command = [sys.executable, "-m", "model_signing"]
    signature = ["--signature", str(signed / SIGNATURE_FILE)]
    subprocess.run([*command, "verify", "key", *signature, "--public_key", keys[1], signed], check=True)
    (signed / SIGNATURE_FILE).unlink()
    subprocess.run([*command, "sign", "key", *signature, "--private_key", keys[0], signed], check=True)
    assert Bundle.open(signed, keys[1])
