"""An SMB 3.1.1 server that tells the truth, or exactly one lie.

It is written to be read beside [MS-SMB2]: wire.py knows the layouts, crypto.py the keys, spnego.py
the authentication, share.py the files, server.py the conversation.  lies.py and quirks.py bend it.
"""
