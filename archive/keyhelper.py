"""Makes one consultation's key pair and forgets the secret half: `python -m archive.keyhelper`.

Reads `{"recipients": ["age1…", …]}` on standard input; prints `{"public_key", "session_key_age"}`, the
latter the age file (base64) of an ordinary identity file, encrypted to every recipient. The secret half
exists only in this process, for some milliseconds, and is never written anywhere unencrypted. It must not
be imported by a long-lived process: `archive.keys.make_session_key` runs it.
"""

from __future__ import annotations

import base64
import json
import resource
import sys
from datetime import UTC, datetime

import pyrage


def main() -> int:
    """Exit code 0, or 1 with one line on standard error."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the secret
    try:
        recipients = [pyrage.x25519.Recipient.from_str(text) for text in json.load(sys.stdin)["recipients"]]
        identity = pyrage.x25519.Identity.generate()
        public = str(identity.to_public())
        wrapped = pyrage.encrypt(_identity_file(public, str(identity)), recipients)
    except (ValueError, KeyError, TypeError, pyrage.RecipientError, pyrage.EncryptError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    answer = {"public_key": public, "session_key_age": base64.b64encode(wrapped).decode()}
    sys.stdout.write(json.dumps(answer))
    return 0


def _identity_file(public: str, secret: str) -> bytes:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return f"# created: {created}\n# public key: {public}\n{secret}\n".encode()


if __name__ == "__main__":
    raise SystemExit(main())
