"""What the tests that drive the finished product from outside share: processes, certificates, SAS tokens,
a WebSocket client with every frame under control, networks that cannot reach each other, small applications.

Standard library only, and nothing of the product's code: the tests judge it from the protocol's side.
"""
