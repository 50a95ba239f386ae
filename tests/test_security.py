"""What the promises rest on: strong algorithms in use, and refusals after which nothing weaker is tried.

The daemon's own word (`smbsecure status`, the error's code) is compared with a recording of the wire.
"""

import secrets

import pytest
from capture import NEGOTIATE, SESSION_SETUP, Capture
from lab import HOST, NTLM_PASSWORD, PRINCIPALS, REALM, Kdc, Smbd

SMB311 = 0x0311
CIPHERS = {"AES-256-GCM": 4, "AES-128-GCM": 2, "AES-256-CCM": 3, "AES-128-CCM": 1}
SIGNING = {"AES-GMAC": ("AES-128-GMAC", 2), "AES-CMAC": ("AES-128-CMAC", 1)}
CLEAR, SEALED = b"\xfeSMB", b"\xfdSMB"


@pytest.fixture
def refused(expect_refused, smbd):
    """refused(code, requests=[…], server=…): refused so, and only these requests left us readable.

    One connection at most, dialect 3.1.1 only, no NTLM: whatever the refusal, nothing else was tried.
    """
    def check(code, requests, server=None, **kwargs):
        with Capture((server or smbd).port) as wire:
            text = expect_refused(code, server=server, **kwargs)
            assert wire.requests() == requests
            assert wire.dialects() <= {SMB311}
            assert wire.protocols() <= {CLEAR, SEALED}
            assert not wire.contains(b"NTLMSSP\0")
            assert wire.connections() <= 1
        return text
    return check


@pytest.mark.parametrize("signing", SIGNING)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_everything_is_sealed(mount, make_smbd, cipher, signing):
    """Each algorithm the server may insist on is used, and no name or content is readable."""
    setting, signing_id = SIGNING[signing]
    server = make_smbd(server_smb3_encryption_algorithms=cipher,
                       server_smb3_signing_algorithms=setting)
    name, content = f"name-{secrets.token_hex(8)}", f"content-{secrets.token_hex(2000)}"
    with Capture(server.port) as wire:
        m = mount(server=server)
        (m.path / name).write_text(content)
        assert (m.path / name).read_text() == content
        assert [p.name for p in m.path.iterdir() if p.name == name] == [name]
        (m.path / name).rename(m.path / f"{name}-renamed")
        assert (server.share / f"{name}-renamed").read_text() == content
        status = m.status()
        m.umount()
        assert wire.negotiated() == [(SMB311, CIPHERS[cipher], signing_id)]
        assert wire.dialects() == {SMB311}
        assert wire.requests() == [NEGOTIATE, SESSION_SETUP]
        assert wire.protocols() == {CLEAR, SEALED}
        assert not wire.contains(name)
        assert not wire.contains(content[:32])
        assert not wire.contains("share")
    assert status["cipher"] == cipher
    assert status["signing"] == signing
    assert status["dialect"] == "3.1.1"
    assert status["mechanism"] == "krb5"
    assert status["principal"] == f"alice@{REALM}"
    assert status["spn"] == f"cifs/{HOST}@{REALM}"


def test_server_that_only_wishes_for_encryption_gets_it(mount, make_smbd):
    server = make_smbd(server_smb_encrypt="default")
    name = f"name-{secrets.token_hex(8)}"
    with Capture(server.port) as wire:
        m = mount(server=server)
        (m.path / name).write_text(name)
        m.umount()
        assert wire.requests() == [NEGOTIATE, SESSION_SETUP]
        assert not wire.contains(name)


def test_options_can_narrow_the_choice(mount, refused, make_smbd, smbd):
    server = make_smbd(server_smb3_encryption_algorithms=" ".join(CIPHERS))
    with Capture(server.port) as wire:
        status = mount("ciphers=aes128ccm,signing=cmac", server=server).status()
        assert (status["cipher"], status["signing"]) == ("AES-128-CCM", "AES-CMAC")
        assert wire.negotiated() == [(SMB311, CIPHERS["AES-128-CCM"], SIGNING["AES-CMAC"][1])]
    refused("policy.no-cipher", [NEGOTIATE], server=smbd, options="ciphers=aes128gcm:aes128ccm")


@pytest.mark.parametrize("option", ["noseal", "vers=3.0", "vers=2.1", "sec=none", "guest", "sec=ntlm",
                                    "password=x", "ignore_signature"])
def test_no_option_loosens_anything(refused, option):
    assert option.split("=")[0] in refused("opt.refused", [], options=option, exit=1)


def test_server_without_encryption(refused, make_smbd):
    text = refused("policy.no-cipher", [NEGOTIATE], server=make_smbd(server_smb_encrypt="off"))
    assert "turn on SMB encryption" in text


def test_server_of_smb_3_0_only(refused, make_smbd):
    refused("negotiate.refused", [NEGOTIATE], server=make_smbd(server_max_protocol="SMB3_02"))


def test_server_that_knows_only_ntlm(refused, make_smbd):
    refused("auth.no-kerberos", [NEGOTIATE], server=make_smbd(kerberos=False))


def test_server_that_maps_to_guest(refused, make_smbd):
    server = make_smbd(map_to_guest="Bad Uid", username_map="/dev/null", server_smb_encrypt="desired",
                       share_options={"guest ok": "yes"})
    refused("session.guest", [NEGOTIATE, SESSION_SETUP], server=server)


def test_wrong_password(refused):
    refused("auth.wrong-password", [], options="username=alice", ccache="", env={"PASSWD": "wrong"})


def test_right_password(mount):
    m = mount(options="username=alice", ccache="", env={"PASSWD": PRINCIPALS["alice"][0]})
    assert m.status()["principal"] == f"alice@{REALM}"


def test_expired_ticket(refused, kdc):
    refused("auth.ticket-expired", [], ccache=kdc.kinit_expired())


def test_missing_ticket(refused):
    refused("auth.no-ticket", [], ccache="")


def test_wrong_service_key(refused, make_smbd):
    with Kdc() as other:
        server = make_smbd(keytab=other.keytab)
        refused("session.ticket-refused", [NEGOTIATE, SESSION_SETUP], server=server)


def test_unknown_service(refused):
    refused("auth.no-service", [], source="//other.example.test/share")


def test_clock_of_the_kdc_differs(refused, kdc):
    ccache = kdc.kinit()
    kdc.start("+3600s")
    try:
        refused("auth.clock-skew", [], ccache=ccache)
    finally:
        kdc.start()


def test_clock_of_the_server_differs(refused, make_smbd):
    refused("auth.clock-skew", [NEGOTIATE, SESSION_SETUP], server=make_smbd(clock="-3600s"))


def test_unknown_share(refused):
    refused("tree.no-share", [NEGOTIATE, SESSION_SETUP], share="no-such-share")


def test_no_permission(refused, make_smbd):
    server = make_smbd(share_options={"valid users": "nobody"})
    refused("tree.denied", [NEGOTIATE, SESSION_SETUP], server=server)


def test_permission_is_what_was_missing(mount, make_smbd, kdc):
    server = make_smbd(share_options={"valid users": "nobody"})
    m = mount(server=server, ccache=kdc.kinit("bob"))
    assert m.status()["principal"] == f"bob@{REALM}"


def test_other_name_of_the_server_needs_its_own_principal(mount):
    m = mount(source="//alias.example.test/share")
    assert m.status()["spn"] == f"cifs/alias.example.test@{REALM}"


def test_ntlm_needs_the_administrators_word(refused):
    refused("auth.ntlm-not-allowed", [], options="sec=ntlmssp,username=alice,domain=EXAMPLE",
            env={"PASSWD": NTLM_PASSWORD})


def test_ntlm_where_the_administrator_allows_it(mount, make_smbd, client):
    config = client.dir / "smbsecure.conf"
    config.write_text(f"[{HOST}]\nntlm = allow\n")
    config.chmod(0o644)
    m = mount(f"sec=ntlmssp,username=alice,domain=EXAMPLE,config={config}", ccache="",
              server=make_smbd(kerberos=False), env={"PASSWD": NTLM_PASSWORD})
    assert m.status()["mechanism"] == "ntlmssp"


def test_allowed_ntlm_is_not_tried_when_kerberos_fails(refused, make_smbd, client):
    config = client.dir / "smbsecure.conf"
    config.write_text(f"[{HOST}]\nntlm = allow\n")
    config.chmod(0o644)
    refused("auth.no-ticket", [], options=f"config={config}", ccache="",
            server=make_smbd(kerberos=False))


def test_nobody_listens(refused, kdc):
    with Smbd(kdc) as server:
        gone = server.port
    refused("net.connect", [], options=f"port={gone}")
